//! Light, plants, weather, animals, earth, sky and sea.

use super::Question;
use super::question as q;

pub(super) const QUESTIONS: [Question; 24] = [
    q(
        "Explain how a rainbow forms.",
        "A rainbow forms when sunlight bends and splits inside raindrops.",
        "Sun shines into small drops of rain and comes out in many colors.",
        "Refraction, dispersion and internal reflection within spherical droplets separate solar radiation by wavelength.",
    ),
    q(
        "Why is the sky blue during the day?",
        "Air scatters blue light more than it scatters red light.",
        "Air throws the blue part of the sun's light all over the sky.",
        "Rayleigh scattering by atmospheric molecules intensifies inversely with the fourth power of wavelength.",
    ),
    q(
        "Why do sunsets look red?",
        "Evening light crosses more air, which removes most of the blue.",
        "Low sun has a long way to go, and just the red gets here.",
        "Extended atmospheric path length attenuates shorter wavelengths, leaving predominantly longer components transmitted.",
    ),
    q(
        "How do plants make their food?",
        "Plants use sunlight to turn water and air into sugar.",
        "A leaf takes in sun, air and water, and makes sweet food from them.",
        "Photosynthesis converts carbon dioxide and water into carbohydrates through chlorophyll-mediated energy capture.",
    ),
    q(
        "Why do leaves change color in autumn?",
        "Trees stop making green pigment, so the other colors show.",
        "When it gets cold, the green goes away and we see red and gold.",
        "Chlorophyll degradation during senescence reveals carotenoids, while anthocyanins accumulate within the vacuoles.",
    ),
    q(
        "Tell me what roots do for a plant.",
        "Roots hold the plant and draw water from the soil.",
        "Roots grip the ground and drink up the rain that falls on it.",
        "Root systems provide anchorage and facilitate osmotic absorption of dissolved mineral nutrients.",
    ),
    q(
        "What makes it rain?",
        "Damp air cools, and its water falls as drops.",
        "Clouds get full of small drops, and the big ones fall on us.",
        "Adiabatic cooling saturates ascending air, and coalescing condensate precipitates under gravitational acceleration.",
    ),
    q(
        "What causes thunder and lightning?",
        "Lightning is a huge spark, and thunder is its sound.",
        "A big spark jumps in the cloud, and then we hear a loud boom.",
        "Electrostatic discharge heats the surrounding atmosphere, whose explosive expansion generates an acoustic shockwave.",
    ),
    q(
        "Describe where wind comes from.",
        "Wind is air that moves from high to low pressure.",
        "The sun warms some air, it goes up, and cool air runs in.",
        "Differential insolation establishes barometric gradients that accelerate atmospheric masses toward equilibrium.",
    ),
    q(
        "How do bees make honey?",
        "Bees gather nectar and dry it inside wax cells.",
        "Bees drink sweet juice from a flower and dry it in their home.",
        "Enzymatic inversion of sucrose and subsequent dehydration transform collected nectar into concentrated honey.",
    ),
    q(
        "Why do flowers need bees?",
        "Bees carry pollen, and so the flowers can form seeds.",
        "Bees take yellow dust from bloom to bloom so that seeds can grow.",
        "Entomophilous angiosperms depend on pollinating insects for cross-fertilization and continuous genetic recombination.",
    ),
    q(
        "Tell me how birds find their way in winter.",
        "Birds steer by the sun, the stars and magnetic fields.",
        "Birds look at the sun and the stars, so they know the way.",
        "Migratory species integrate celestial navigation, magnetoreception and topographical memory for long-distance orientation.",
    ),
    q(
        "Explain why volcanoes erupt.",
        "Gas in melted rock builds pressure until the rock escapes.",
        "Hot soft rock has gas in it, and the gas pushes it out.",
        "Volatile exsolution within ascending magma produces overpressure exceeding the mechanical strength of overlying lithosphere.",
    ),
    q(
        "What causes an earthquake?",
        "Plates of rock slip suddenly and shake the ground above.",
        "Big slabs of rock are stuck, then slip, and the ground shakes.",
        "Accumulated tectonic stress exceeds frictional resistance, releasing elastic strain energy as seismic waves.",
    ),
    q(
        "How do mountains grow?",
        "Plates push together, and the rock between them folds upward.",
        "Two big bits of land push, and the rock goes up in folds.",
        "Convergent lithospheric boundaries generate crustal thickening, isostatic compensation and progressive orogenic uplift.",
    ),
    q(
        "Why do we have seasons?",
        "The Earth is tilted, so sunlight changes during the year.",
        "The Earth leans, so one half gets more sun than the other half.",
        "Axial obliquity modulates hemispheric insolation throughout the annual heliocentric revolution of the planet.",
    ),
    q(
        "Why does the moon change its shape?",
        "We see different parts of its sunlit side each night.",
        "The sun lights one half, and we see some of that half.",
        "Lunar phases reflect the varying geometrical configuration between solar illumination and terrestrial observation.",
    ),
    q(
        "What makes the tides rise and fall?",
        "The moon pulls on the sea and lifts the water.",
        "The moon pulls the sea up on one side, then lets it go.",
        "Differential gravitational attraction produces oceanic deformation with characteristically semidiurnal periodicity.",
    ),
    q(
        "Why is the sea salty?",
        "Rivers wash salt from rock into the sea over time.",
        "Rain takes salt out of the rock, and rivers bring it to the sea.",
        "Chemical weathering liberates sodium and chloride ions, which accumulate because evaporation removes only water.",
    ),
    q(
        "How can fish breathe under water?",
        "Fish take oxygen out of the water with their gills.",
        "Water runs past thin red skin in the head, and air goes in.",
        "Countercurrent exchange across branchial lamellae maximizes diffusion of dissolved oxygen into circulation.",
    ),
    q(
        "Describe what a coral reef is.",
        "A reef is built by tiny animals that live together.",
        "A reef is a town of stone that small sea animals make.",
        "Reefs are calcium carbonate structures secreted by colonial cnidarians harboring photosynthetic endosymbionts.",
    ),
    q(
        "Why do cats purr?",
        "Cats purr when they feel calm, and sometimes for comfort.",
        "A cat hums in its throat when it is glad and warm.",
        "Rhythmic laryngeal muscle contractions modulate respiratory airflow, producing characteristic low-frequency vibrations.",
    ),
    q(
        "How do dogs smell so well?",
        "Dogs have far more smell cells than people have.",
        "A dog's nose has a lot more parts that can smell than yours.",
        "Canine olfactory epithelium contains hundreds of millions of receptors and proportionally enlarged processing regions.",
    ),
    q(
        "Why do some animals sleep all winter?",
        "They save energy while there is little food to find.",
        "There is no food in the snow, so they sleep and use fat.",
        "Hibernation suppresses metabolic rate and thermoregulation, conserving adipose reserves throughout nutritional scarcity.",
    ),
];
