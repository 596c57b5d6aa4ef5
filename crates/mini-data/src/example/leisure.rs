//! Friends, travel, animals and hobbies.

use super::{Topic, topic};

#[rustfmt::skip]
pub(super) const TOPICS: [Topic; 26] = [
    topic(
        "How do I pack a small suitcase?", "Roll clothes, fill shoes.",
        ["roll the clothes instead of folding them", "fill the shoes with socks", "wear the heaviest things yourself"],
        "rolled clothes leave no empty corners",
    ),
    topic(
        "How do I take better photos with my phone?", "Light from behind you.",
        ["clean the lens first", "turn your back to the light", "go closer instead of zooming"],
        "light matters more than the camera",
    ),
    topic(
        "How do I teach a dog to sit?", "Treat above the nose.",
        ["hold a treat above the nose of the dog", "move it slowly backwards", "praise the dog as soon as it sits"],
        "a dog repeats what has been worth it",
    ),
    topic(
        "How do I fix a flat bicycle tyre?", "Patch the tube.",
        ["take out the tube and find the hole", "roughen the place and glue on a patch", "check the tyre for glass"],
        "the same piece of glass makes the next hole",
    ),
    topic(
        "My bicycle chain squeaks. What can I do?", "Clean it, oil it.",
        ["wipe the chain with a rag", "put a drop of oil on each link", "wipe off what is left"],
        "oil on the outside only collects dust",
    ),
    topic(
        "What should I take on a long hike?", "Water, map, rain jacket.",
        ["take two litres of water and some bread", "put a rain jacket into the bag", "tell somebody where you go"],
        "the weather in the mountains turns quickly",
    ),
    topic(
        "How do I make new friends in a new city?", "Join a club.",
        ["join a club or a course", "go there every week", "invite someone for a coffee"],
        "friendship grows where people meet again and again",
    ),
    topic(
        "What should I give my grandmother for her birthday?", "A photo album.",
        ["collect photos of the whole family", "glue them into an album", "write a line below each of them"],
        "memories are worth more to her than things",
    ),
    topic(
        "How do I learn the guitar?", "Three chords, every day.",
        ["learn three easy chords", "practise for fifteen minutes every day", "play along with songs you love"],
        "short practice every day beats long practice on Sunday",
    ),
    topic(
        "How do I plan a birthday party for a child?", "Few guests, two games.",
        ["invite as many guests as the child has years", "prepare two games and a treasure hunt", "end the party after three hours"],
        "small groups are happier and tire less",
    ),
    topic(
        "How do I build a camp fire?", "Small wood first.",
        ["lay a ring of stones", "build a small tent of dry twigs", "add thicker wood when it burns well"],
        "a fire needs air and grows from small to large",
    ),
    topic(
        "How do I start drawing?", "Draw one thing daily.",
        ["draw one simple thing every day", "look at it longer than at the paper", "keep all your drawings"],
        "drawing is mostly a matter of looking",
    ),
    topic(
        "How do I find cheap flights?", "Be flexible with days.",
        ["search for flights in the middle of the week", "compare airports nearby", "book about two months ahead"],
        "empty seats on quiet days cost less",
    ),
    topic(
        "How do I keep children busy on a rainy day?", "Build a fort.",
        ["build a fort of chairs and blankets", "let them cook something simple", "read a story inside the fort"],
        "children love to have a place of their own",
    ),
    topic(
        "How do I help a shy cat trust me?", "Sit and wait.",
        ["sit on the floor and wait", "offer a treat with an open hand", "let the cat come to you"],
        "cats trust those who do not follow them",
    ),
    topic(
        "How do I set up a tent in the wind?", "Pegs first.",
        ["lay the tent flat with its back to the wind", "fix the pegs before the poles", "draw all cords tight"],
        "a tent that is pegged down cannot fly away",
    ),
    topic(
        "How do I learn to dance?", "Take a class.",
        ["take a class for beginners", "practise the basic step at home", "dance with many partners"],
        "the feet learn by repeating and not by thinking",
    ),
    topic(
        "How do I choose a book for a ten-year-old?", "The Hobbit.",
        ["ask what films the child likes", "choose a story with short chapters", "read the first one together"],
        "a good beginning carries a child through the book",
    ),
    topic(
        "How do I get over jet lag?", "Daylight and local time.",
        ["live by the local time at once", "spend the morning in daylight", "eat lightly in the evening"],
        "daylight sets the clock inside the body",
    ),
    topic(
        "How do I grow strawberries?", "Sun and straw.",
        ["plant them in a sunny place in August", "lay straw below the fruit", "water them in the morning"],
        "the straw keeps the berries dry and clean",
    ),
    topic(
        "How do I play chess better?", "Solve puzzles daily.",
        ["solve a few puzzles every day", "look at each game you lost", "learn one opening well"],
        "most games are decided by simple mistakes",
    ),
    topic(
        "How do I travel with a small child?", "Snacks, toys, breaks.",
        ["travel during the usual time of sleep", "pack snacks and a new toy", "stop every two hours"],
        "a rested child is a happy traveller",
    ),
    topic(
        "How do I write a poem?", "Start with one image.",
        ["begin with a picture that you saw", "read every line aloud", "cut the words that are not needed"],
        "a poem lives from sound and pictures",
    ),
    topic(
        "How do I feed birds in winter?", "Seeds, fat, water.",
        ["hang up seeds and fat balls", "clean the place every week", "offer a dish of water"],
        "birds fall ill at places that are not clean",
    ),
    topic(
        "How do I spend a free day alone?", "Museum and a good lunch.",
        ["visit a museum in the morning", "have lunch in a place you do not know", "write a few lines about it"],
        "a day alone gives room for new thoughts",
    ),
    topic(
        "How do I ski for the first time?", "Book a teacher.",
        ["book a teacher for two days", "practise braking on a flat slope", "rent the boots and skis"],
        "whoever can brake is not afraid",
    ),
];
