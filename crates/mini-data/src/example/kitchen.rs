//! Food and drink.

use super::{Topic, topic};

#[rustfmt::skip]
pub(super) const TOPICS: [Topic; 26] = [
    topic(
        "How do I keep bread fresh?", "Paper bag, not the fridge.",
        ["put the loaf into a paper bag", "keep it in a closed box at room temperature", "freeze in slices what you cannot eat in three days"],
        "bread dries out in the cold of a fridge and grows mould in plastic",
    ),
    topic(
        "How long do I boil an egg?", "Six minutes soft, ten hard.",
        ["put the egg into boiling water", "take it out after six minutes for a soft yolk or ten for a hard one", "hold it under cold water"],
        "the egg goes on cooking in its own heat",
    ),
    topic(
        "How do I cook rice that does not stick?", "Rinse it first.",
        ["rinse the rice until the water stays clear", "cook it with the lid on over a low flame", "let it rest for ten minutes before you stir"],
        "the starch on the outside is what glues the grains together",
    ),
    topic(
        "What can I make from old bananas?", "Banana bread.",
        ["mash the bananas with an egg and some oil", "stir in flour, sugar and baking powder", "bake the batter for an hour"],
        "brown bananas are sweeter and need less sugar",
    ),
    topic(
        "How do I chop onions without crying?", "Sharp knife, cold onion.",
        ["cool the onion in the fridge for half an hour", "use a very sharp knife", "cut off the root at the very end"],
        "a blunt knife crushes the cells and sets the stinging gas free",
    ),
    topic(
        "How do I make soup less salty?", "Add water or a potato.",
        ["add some water or unsalted stock", "let a peeled potato simmer in it", "stir in a spoon of cream at the end"],
        "salt cannot be taken out, only spread over more food",
    ),
    topic(
        "What should I cook for guests who eat no meat?", "A vegetable lasagne.",
        ["bake a lasagne with spinach and tomatoes", "prepare it in the morning", "serve a green salad beside it"],
        "a dish from the oven leaves you time for your guests",
    ),
    topic(
        "How do I get a burnt pot clean?", "Soak it with baking soda.",
        ["cover the bottom with water and baking soda", "bring it to the boil and leave it overnight", "scrape the rest off with a wooden spoon"],
        "the soda loosens the burnt crust without scratching the metal",
    ),
    topic(
        "How do I keep herbs fresh?", "In a glass of water.",
        ["cut the ends of the stems", "put the herbs into a glass of water", "cover them loosely with a bag in the fridge"],
        "herbs go on drinking as cut flowers do",
    ),
    topic(
        "How do I brew good coffee at home?", "Fresh beans, hot water.",
        ["grind fresh beans just before you brew", "pour on water that has stopped boiling", "use two spoons for every cup"],
        "ground coffee loses its smell within minutes",
    ),
    topic(
        "How do I bake a cake that does not sink?", "Keep the oven closed.",
        ["weigh the ingredients carefully", "bake the cake in the middle of a hot oven", "keep the door closed for the first half hour"],
        "cold air makes the soft middle collapse",
    ),
    topic(
        "What is a quick breakfast before work?", "Oats with yoghurt and fruit.",
        ["mix oats with yoghurt in the evening", "leave the bowl in the fridge overnight", "add some fruit in the morning"],
        "the oats soften while you sleep and keep you full until noon",
    ),
    topic(
        "How do I peel garlic quickly?", "Crush it with the knife.",
        ["press the clove with the flat of a knife", "pull off the loose skin", "cut away the hard end"],
        "the skin breaks from the clove as soon as it is bent",
    ),
    topic(
        "How do I ripen an avocado?", "Bag it with an apple.",
        ["put the avocado into a paper bag", "add an apple or a banana", "wait for two days at room temperature"],
        "ripe fruit gives off a gas that ripens its neighbours",
    ),
    topic(
        "How do I thicken a sauce?", "Stir in starch.",
        ["stir a spoon of starch into cold water", "pour it slowly into the hot sauce", "let it boil for one minute"],
        "starch swells only when it has boiled",
    ),
    topic(
        "How do I fry fish without breaking it?", "Turn it only once.",
        ["dry the fish well with a towel", "lay it into a very hot pan", "turn it only once with a wide spatula"],
        "a wet fish sticks and tears when it is moved",
    ),
    topic(
        "What can I cook with one pan only?", "Fried rice.",
        ["fry an onion and some vegetables", "add cooked rice and an egg", "season everything with soy sauce"],
        "each thing can go into the pan after the other",
    ),
    topic(
        "How do I pack a healthy lunch for school?", "Sandwich, fruit, water.",
        ["make a sandwich of dark bread and cheese", "add an apple and some carrots", "fill a bottle with water"],
        "simple food stays good until noon and gets eaten",
    ),
    topic(
        "How do I sharpen a kitchen knife?", "Use a wet stone.",
        ["soak the stone in water for ten minutes", "draw the blade over it at a flat angle", "finish on the fine side of the stone"],
        "a steady angle makes one clean edge",
    ),
    topic(
        "How do I store potatoes?", "Cool, dark, dry.",
        ["keep the potatoes in a dark and cool place", "put them into a basket that lets air through", "store the onions somewhere else"],
        "light makes potatoes green and onions make them sprout",
    ),
    topic(
        "How do I make pizza dough?", "Flour, water, yeast, time.",
        ["knead flour, water, salt and a little yeast", "let the dough rest for a day in the fridge", "stretch it by hand and bake it very hot"],
        "slow dough has more taste and is easier to stretch",
    ),
    topic(
        "How do I stop milk from boiling over?", "Low heat and stirring.",
        ["heat the milk slowly over a small flame", "stir it again and again", "lay a wooden spoon across the pot"],
        "the spoon breaks the skin under which the steam collects",
    ),
    topic(
        "What tea should I drink in the evening?", "Camomile.",
        ["choose a camomile or lemon balm tea", "let it stand for eight minutes", "drink it an hour before bed"],
        "these herbs calm you and hold no caffeine",
    ),
    topic(
        "How do I freeze berries?", "One layer first.",
        ["wash the berries and dry them well", "freeze them on a tray in one layer", "fill them into a bag when they are hard"],
        "berries that freeze apart do not turn into one block",
    ),
    topic(
        "How do I save money on groceries?", "Plan meals, write a list.",
        ["plan the meals of the whole week", "write a list and buy nothing else", "cook larger pots and freeze the rest"],
        "most waste comes from food that nobody had planned",
    ),
    topic(
        "How do I season a cast iron pan?", "Oil it, bake it.",
        ["wash the pan and dry it completely", "rub it with a very thin layer of oil", "bake it upside down for an hour"],
        "the hot oil turns into a hard and smooth coat",
    ),
];
