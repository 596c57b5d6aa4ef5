//! Bread, eggs, tea and coffee, cooking, cleaning, the garden and the house.

use super::Question;
use super::question as q;

pub(super) const QUESTIONS: [Question; 21] = [
    q(
        "Why does bread dough rise?",
        "Yeast makes gas, and the gas fills the dough with bubbles.",
        "Yeast eats the sugar and blows small bubbles, so the dough gets big.",
        "Fermentation releases carbon dioxide, which the viscoelastic gluten network retains during proofing.",
    ),
    q(
        "How do I bake a simple loaf of bread?",
        "Mix flour, water, salt and yeast, let rise, then bake.",
        "Mix it, let it sit till it is big, and bake it hot.",
        "Combine ingredients, develop gluten, complete bulk fermentation, then bake at approximately 230 degrees Celsius.",
    ),
    q(
        "Why does bread go stale?",
        "Its starch slowly hardens again as the loaf cools and rests.",
        "Old bread gets hard as the soft part of it sets.",
        "Starch retrogradation, predominantly amylopectin recrystallization, redistributes moisture and increases crumb rigidity.",
    ),
    q(
        "Why does an egg get hard when boiled?",
        "Heat unfolds the proteins, which then join into a solid.",
        "The heat makes the soft parts hold hands, and the egg sets.",
        "Thermal denaturation exposes hydrophobic residues, promoting irreversible aggregation of ovalbumin into a gel.",
    ),
    q(
        "How do I boil the perfect egg?",
        "Boil it seven minutes, then cool it in cold water.",
        "Put it in hot water, wait a bit, then cool it down.",
        "Maintain near-boiling temperature approximately seven minutes, subsequently arresting coagulation through immediate immersion chilling.",
    ),
    q(
        "How can I tell if an egg is fresh?",
        "A fresh egg sinks in water, and an old one floats.",
        "Drop it in a cup: a good egg goes down, a bad one up.",
        "Progressive moisture evaporation enlarges the internal air cell, consequently reducing density and increasing buoyancy.",
    ),
    q(
        "Why does coffee keep people awake?",
        "Caffeine blocks the signal that tells the brain it is tired.",
        "It has a thing in it that hides how tired you are.",
        "Caffeine competitively antagonizes adenosine receptors, thereby substantially attenuating homeostatic sleep pressure.",
    ),
    q(
        "How do I make a good cup of tea?",
        "Pour hot water on the leaves and wait three minutes.",
        "Put tea in a cup, add hot water, and wait a bit.",
        "Infuse approximately two grams at ninety-five degrees, restricting extraction to moderate tannin concentrations.",
    ),
    q(
        "What is the difference between green and black tea?",
        "Black tea is oxidized before drying, and green tea is not.",
        "Both come from one bush, but the black one sat in air.",
        "Enzymatic oxidation of catechins into theaflavins distinguishes black preparation from thermally stabilized green varieties.",
    ),
    q(
        "Why do onions make us cry?",
        "Cut onions release a gas that stings and wets our eyes.",
        "When you cut it, a gas gets in your eyes and they run.",
        "Alliinase generates a volatile sulfoxide that stimulates corneal nociceptors and reflexive lacrimation.",
    ),
    q(
        "Why should I add salt to pasta water?",
        "Salt in the water seasons the pasta all the way through.",
        "The salt goes into the food, so it does not taste flat.",
        "Sodium chloride diffuses into hydrating starch, ensuring homogeneous seasoning independent of the sauce.",
    ),
    q(
        "How do I keep apples from turning brown?",
        "Cover the cut side with a little lemon juice.",
        "Rub it with a sour fruit, and it will stay white.",
        "Acidification and ascorbate inhibit polyphenol oxidase, preventing quinone formation and subsequent melanin polymerization.",
    ),
    q(
        "How does soap clean dirty dishes?",
        "Soap grips the grease and lets the water carry it off.",
        "Soap holds on to fat, and then it all goes down the drain.",
        "Amphiphilic molecules assemble into micelles, encapsulating hydrophobic residues for aqueous emulsification and removal.",
    ),
    q(
        "How can I remove a stain from a shirt?",
        "Treat it early with cold water, soap and some patience.",
        "Wash it soon in cold water, and rub it with soap.",
        "Pretreat immediately using enzymatic detergent, avoiding elevated temperatures that irreversibly denature proteinaceous contaminants.",
    ),
    q(
        "Why does ironing make clothes smooth?",
        "Heat and steam loosen the fibers, which then set flat.",
        "The hot iron makes the cloth soft, and then it stays flat.",
        "Thermal energy and moisture temporarily disrupt hydrogen bonding, permitting cellulose realignment under compression.",
    ),
    q(
        "How do I keep a house plant alive?",
        "Give it enough light and water it when soil dries.",
        "Put it in the sun, and give it a drink when dry.",
        "Ensure sufficient photosynthetic irradiance, appropriate drainage and irrigation determined by substrate moisture measurements.",
    ),
    q(
        "Why is compost good for a garden?",
        "Compost feeds the soil and helps it to hold water.",
        "Old food and leaves turn to rich dirt that plants love.",
        "Decomposed organic matter improves aggregation, cation exchange capacity and microbial nutrient mineralization.",
    ),
    q(
        "When should I plant tomatoes?",
        "Plant them outside after the last frost of the spring.",
        "Wait till it is warm at night, then put them out.",
        "Transplant seedlings following the terminal frost, once minimum temperatures consistently exceed ten degrees.",
    ),
    q(
        "How does a refrigerator keep food cold?",
        "It pumps heat from the inside out into the room.",
        "It takes the heat out of the box and lets it go.",
        "Vapor-compression refrigeration transfers thermal energy through cyclic evaporation and condensation of refrigerant.",
    ),
    q(
        "Why does ice float on water?",
        "Ice is less dense than water, so it stays on top.",
        "Ice takes up more room, so it is light and stays up.",
        "Hydrogen bonding produces an expanded hexagonal lattice of comparatively lower density than liquid.",
    ),
    q(
        "How can I save energy at home?",
        "Heat less, switch lights off and stop drafts at windows.",
        "Turn off the lights, shut the door and wear a warm top.",
        "Improve thermal insulation, eliminate infiltration and replace inefficient appliances exhibiting excessive standby consumption.",
    ),
];
