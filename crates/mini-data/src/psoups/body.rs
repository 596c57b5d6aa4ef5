//! Sleep, heart, teeth, exercise, germs and memory.

use super::Question;
use super::question as q;

pub(super) const QUESTIONS: [Question; 18] = [
    q(
        "Why do people need sleep?",
        "Sleep lets the body repair itself and the brain rest.",
        "When you sleep, your body mends and your head gets a rest.",
        "Sleep facilitates synaptic homeostasis, metabolic clearance and endocrine regulation essential for cognitive performance.",
    ),
    q(
        "What are dreams?",
        "Dreams are stories that the brain makes during sleep.",
        "A dream is a film that your head makes up at night.",
        "Dreams are hallucinatory experiences correlated with cortical activation during rapid-eye-movement sleep.",
    ),
    q(
        "How can I fall asleep faster?",
        "Keep a fixed bedtime and turn off screens before it.",
        "Go to bed at the same time, and put the phone away.",
        "Maintain circadian regularity and minimize evening exposure to short-wavelength illumination suppressing melatonin.",
    ),
    q(
        "What does the heart do?",
        "The heart pumps blood through the whole body all day.",
        "The heart is a pump that sends blood to all your parts.",
        "The myocardium contracts rhythmically, sustaining pulmonary and systemic circulation through unidirectional valves.",
    ),
    q(
        "Why does the heart beat faster when we run?",
        "Working muscles need more oxygen, so more blood must flow.",
        "Your legs need more air, so the heart has to work hard.",
        "Sympathetic stimulation elevates cardiac output, satisfying increased muscular oxygen consumption during exertion.",
    ),
    q(
        "Tell me why blood is red.",
        "Blood is red because its cells carry iron and oxygen.",
        "Blood has a bit of iron in it, and that makes it red.",
        "Hemoglobin's iron-containing porphyrin complexes absorb shorter wavelengths, particularly following reversible oxygenation.",
    ),
    q(
        "Why should I brush my teeth?",
        "Brushing removes the film of germs that damages your teeth.",
        "If you do not brush, small germs eat holes in your teeth.",
        "Mechanical plaque removal prevents bacterial acidification and consequent demineralization of dental enamel.",
    ),
    q(
        "How do cavities form in teeth?",
        "Germs turn sugar into acid, and the acid eats holes.",
        "Germs eat the sweets you eat, and then they hurt the tooth.",
        "Cariogenic microorganisms ferment carbohydrates, and resulting organic acids progressively dissolve hydroxyapatite crystals.",
    ),
    q(
        "What do braces do?",
        "Braces push teeth slowly until they stand in straight rows.",
        "Braces are thin wires that push each tooth to its right place.",
        "Orthodontic appliances apply continuous forces, inducing alveolar bone remodeling and controlled dental displacement.",
    ),
    q(
        "Why is exercise good for you?",
        "Exercise keeps the heart strong and improves mood and sleep.",
        "If you run and play, you get strong and feel good.",
        "Regular physical activity enhances cardiovascular capacity, insulin sensitivity and neurochemical regulation of mood.",
    ),
    q(
        "How do muscles get stronger?",
        "Hard work causes small damage, and the repair adds strength.",
        "You lift a thing, then you rest, and your arms grow back big.",
        "Mechanical overload stimulates myofibrillar protein synthesis, yielding hypertrophy and improved neuromuscular recruitment.",
    ),
    q(
        "Why do I sweat when it is hot?",
        "Sweat cools the skin as it dries into the air.",
        "Sweat is water on your skin, and as it dries you cool off.",
        "Evaporative heat dissipation from eccrine secretion maintains thermoregulatory equilibrium during elevated temperatures.",
    ),
    q(
        "How does a vaccine work?",
        "A vaccine trains the body to fight a germ early.",
        "A shot shows your body the bad germ, so it can win.",
        "Antigen presentation elicits adaptive immunity, establishing memory lymphocytes capable of accelerated antibody production.",
    ),
    q(
        "Why do we get a fever?",
        "The body turns up its heat to fight an infection.",
        "Your body gets hot to make it hard for germs to live.",
        "Pyrogenic cytokines elevate the hypothalamic temperature setpoint, impairing microbial replication and enhancing immunity.",
    ),
    q(
        "Explain why washing hands matters.",
        "Soap and water remove germs before they can make us ill.",
        "Soap takes the germs off your hands, so you do not get sick.",
        "Surfactants disrupt lipid membranes and detach pathogens, interrupting indirect contact transmission.",
    ),
    q(
        "How do we remember things?",
        "The brain makes links between cells stronger with each use.",
        "If you do a thing a lot, your brain makes a path.",
        "Long-term potentiation strengthens synaptic connectivity, while hippocampal consolidation stabilizes distributed cortical representations.",
    ),
    q(
        "What is the best way to study for a test?",
        "Test yourself often and spread the work over several days.",
        "Do a bit each day, and ask what you still know.",
        "Distributed retrieval practice optimizes long-term retention relative to massed repetitive presentation.",
    ),
    q(
        "Why do we forget names so easily?",
        "A name has few links to other things we know.",
        "A name is just a sound, so it does not stick well.",
        "Proper nouns possess impoverished semantic associations, rendering lexical retrieval particularly susceptible to interference.",
    ),
];
