//! House, clothes and plants.

use super::{Topic, topic};

#[rustfmt::skip]
pub(super) const TOPICS: [Topic; 26] = [
    topic(
        "How do I get rid of fruit flies?", "Vinegar trap.",
        ["fill a small glass with vinegar and a drop of soap", "place it beside the fruit", "carry out the waste every day"],
        "the flies love the smell and sink in the soapy vinegar",
    ),
    topic(
        "How do I remove a coffee stain from a shirt?", "Cold water, then soap.",
        ["rinse the stain with cold water at once", "rub in some dish soap", "wash the shirt before you dry it"],
        "heat makes what is left of a stain permanent",
    ),
    topic(
        "How do I unclog a sink?", "Use a plunger.",
        ["remove what you can reach by hand", "press a plunger up and down for a minute", "rinse the pipe with hot water"],
        "most clogs sit close to the drain and only need a push",
    ),
    topic(
        "How do I clean windows without streaks?", "Rubber wiper, warm water.",
        ["wash the glass with warm water and a little soap", "draw a rubber wiper from top to bottom", "dry the edges with a soft cloth"],
        "drops that dry by themselves leave the streaks",
    ),
    topic(
        "How do I keep my basil alive?", "Sun and a little water.",
        ["put the pot into a bright window", "water it a little every day", "pick the top leaves first"],
        "a plant that is cut on top grows wide instead of tall",
    ),
    topic(
        "How do I hang a picture straight?", "Use a level.",
        ["mark the two points with a pencil", "check the line with a level", "drive both nails in at a slight angle"],
        "the eye is misled by ceilings that are not straight",
    ),
    topic(
        "How do I save energy when heating?", "Turn it down by one degree.",
        ["turn the heating down by one degree", "close the curtains at night", "open the windows wide for five minutes"],
        "one degree less saves about six per cent",
    ),
    topic(
        "How do I stop a door from squeaking?", "Oil the hinges.",
        ["clean the hinges with a dry cloth", "put a drop of oil on each of them", "move the door a few times"],
        "the noise comes from metal that rubs on metal",
    ),
    topic(
        "How do I get cat hair off the sofa?", "A damp rubber glove.",
        ["put on a damp rubber glove", "stroke the sofa in one direction", "pick up the balls of hair"],
        "the rubber makes the hair cling together",
    ),
    topic(
        "How do I wash a wool sweater?", "Cold, by hand.",
        ["wash the sweater by hand in cold water", "press the water out in a towel", "dry it flat on a table"],
        "heat and rubbing turn wool into felt",
    ),
    topic(
        "How do I make my room look larger?", "Light walls, a mirror.",
        ["paint the walls in a light colour", "hang a mirror opposite the window", "keep the floor free"],
        "the eye takes light and free floor for space",
    ),
    topic(
        "How do I get rid of a bad smell in the fridge?", "Wipe it, add baking soda.",
        ["throw away what has gone bad", "wipe the shelves with vinegar and water", "leave a bowl of baking soda inside"],
        "baking soda binds the smells that remain",
    ),
    topic(
        "How do I remove a sticker from glass?", "Oil, then soap.",
        ["soak the sticker with cooking oil", "scrape it off with a plastic card", "wash the glass with soap"],
        "oil dissolves the glue that water cannot touch",
    ),
    topic(
        "How do I keep moths away from my clothes?", "Lavender and clean wool.",
        ["wash the clothes before you store them", "put them into closed boxes", "hang lavender between them"],
        "moths lay their eggs into worn wool",
    ),
    topic(
        "How do I plant tomatoes on a balcony?", "Big pot, full sun.",
        ["use a large pot with good soil", "place it in full sun under a roof", "tie the plant to a stick"],
        "rain on the leaves makes tomatoes ill",
    ),
    topic(
        "How do I fix a dripping tap?", "Replace the washer.",
        ["turn off the water", "unscrew the tap and take out the washer", "put in a new one of the same size"],
        "an old washer grows hard and no longer closes",
    ),
    topic(
        "How do I fold a fitted sheet?", "Tuck the corners together.",
        ["tuck the four corners into each other", "lay the sheet flat on the bed", "fold it in three and again in three"],
        "the tucked corners give the sheet straight edges",
    ),
    topic(
        "How do I keep my desk tidy?", "Clear it every evening.",
        ["clear the desk every evening", "keep only one tray for papers", "put away whatever you did not use this week"],
        "a small daily habit is easier than a big day of order",
    ),
    topic(
        "How do I get candle wax out of a tablecloth?", "Freeze it, iron it.",
        ["cool the wax with ice and break it off", "lay paper on the spot and iron it", "wash the cloth as usual"],
        "warm wax moves from the cloth into the paper",
    ),
    topic(
        "How do I paint a wall evenly?", "Roll it wet in wet.",
        ["cover the edges with tape", "roll the paint from the window into the room", "work without a break until the wall is done"],
        "paint that dries half-way leaves a visible line",
    ),
    topic(
        "How do I descale a kettle?", "Boil water with vinegar.",
        ["fill the kettle with water and vinegar", "boil it and wait for half an hour", "rinse it twice with clear water"],
        "the acid dissolves the chalk from the water",
    ),
    topic(
        "How do I make my house safe for a baby?", "Lock cupboards, cover sockets.",
        ["cover the sockets and lock the low cupboards", "fix the shelves to the wall", "put small things out of reach"],
        "babies pull themselves up and taste whatever they find",
    ),
    topic(
        "How do I keep mosquitoes out?", "Nets on the windows.",
        ["put nets on all windows", "empty every dish of standing water", "use a fan beside the bed"],
        "mosquitoes grow in water and cannot fly against wind",
    ),
    topic(
        "How do I get a scratch out of a wooden table?", "Rub it with a walnut.",
        ["rub the scratch with half a walnut", "let the oil soak in for a while", "polish the place with a soft cloth"],
        "the oil of the nut darkens the bright wood",
    ),
    topic(
        "How do I choose a mattress?", "Lie on it for long.",
        ["lie on the mattress for ten minutes", "check that your back stays straight", "ask for a trial at home"],
        "a mattress feels different after a whole night",
    ),
    topic(
        "How do I water plants while I travel?", "A bottle upside down.",
        ["fill a bottle and turn it upside down in the soil", "move the pots out of the sun", "ask a neighbour to look in once"],
        "the soil draws from the bottle only what it needs",
    ),
];
