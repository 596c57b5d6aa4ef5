//! Body, sleep and sport.

use super::{Topic, topic};

#[rustfmt::skip]
pub(super) const TOPICS: [Topic; 26] = [
    topic(
        "How can I fall asleep faster?", "Same bedtime, no screens.",
        ["go to bed at the same time every day", "keep the room dark and cool", "leave the phone in another room"],
        "the body learns when it has to be tired",
    ),
    topic(
        "How do I start running?", "Run one minute, walk two.",
        ["run for one minute and walk for two", "repeat this ten times every second day", "run a little longer each week"],
        "muscles grow faster than the tendons that hold them",
    ),
    topic(
        "How do I get rid of hiccups?", "Hold your breath.",
        ["breathe in deeply and hold your breath", "swallow three times", "breathe out very slowly"],
        "a calm breath quiets the nerve that causes them",
    ),
    topic(
        "What helps against a sore throat?", "Warm tea with honey.",
        ["drink warm tea with honey", "gargle with salt water twice a day", "rest your voice"],
        "warmth and honey soothe the skin of the throat",
    ),
    topic(
        "How do I drink more water?", "Keep a bottle beside you.",
        ["put a full bottle on your desk", "drink a glass before every meal", "add a slice of lemon for taste"],
        "what stands in sight is drunk without thinking",
    ),
    topic(
        "How do I sit well at work?", "Straight back, feet flat.",
        ["put both feet flat on the floor", "raise the screen to the height of your eyes", "stand up every half hour"],
        "the back suffers most from sitting still",
    ),
    topic(
        "How do I stop biting my nails?", "Cut them short.",
        ["cut your nails short", "paint them with something bitter", "hold a pen when your hands are idle"],
        "a habit fades when it is noticed and disturbed",
    ),
    topic(
        "What can I do about dry skin?", "Cream after every shower.",
        ["shower with warm instead of hot water", "use a cream while the skin is still damp", "drink enough during the day"],
        "hot water takes the skin its own oil",
    ),
    topic(
        "How do I treat a small burn?", "Cool water, ten minutes.",
        ["hold the burn under cool water for ten minutes", "cover it with a clean cloth", "see a doctor if it blisters widely"],
        "cooling stops the heat that is still in the skin",
    ),
    topic(
        "How do I relax after a hard day?", "Take a walk.",
        ["take a walk without your phone", "have a warm bath", "read something light in the evening"],
        "the mind slows down when the body does",
    ),
    topic(
        "How do I eat less sugar?", "Buy no sweets.",
        ["stop buying sweets and sweet drinks", "eat fruit when you want something sweet", "cook for yourself more often"],
        "you do not eat what is not in the house",
    ),
    topic(
        "What helps against hay fever?", "Shower in the evening.",
        ["wash your hair before you go to bed", "keep the windows closed in the morning", "ask your doctor about tablets"],
        "pollen sits in hair and clothes",
    ),
    topic(
        "How do I learn to swim as an adult?", "Take a course.",
        ["take a course for adults", "practise breathing out under water", "go to the pool twice a week"],
        "people sink because they are afraid, not because they are heavy",
    ),
    topic(
        "How do I protect my skin from the sun?", "Hat, shade, sun cream.",
        ["stay in the shade around noon", "wear a hat and a light shirt", "put on sun cream every two hours"],
        "sweat and water take the cream away",
    ),
    topic(
        "How do I get up early?", "Go to bed early.",
        ["go to bed an hour earlier", "put the alarm clock far from the bed", "open the curtains at once"],
        "light tells the body that the night is over",
    ),
    topic(
        "What exercises can I do at home?", "Squats and push-ups.",
        ["do ten squats and ten push-ups", "hold a plank for half a minute", "repeat everything three times"],
        "your own weight is enough to make you stronger",
    ),
    topic(
        "How do I quit smoking?", "Pick a day and stop.",
        ["choose a day and throw everything away", "tell your friends about it", "chew gum when you feel the wish"],
        "a wish to smoke passes after five minutes",
    ),
    topic(
        "What should I do about a headache?", "Water and rest.",
        ["drink a large glass of water", "lie down in a dark room", "take a tablet if it does not pass"],
        "many headaches come from thirst and bright light",
    ),
    topic(
        "How do I keep my teeth healthy?", "Brush twice, floss once.",
        ["brush your teeth twice a day", "clean between them every evening", "see a dentist twice a year"],
        "most holes begin where the brush does not reach",
    ),
    topic(
        "How do I warm up before sport?", "Jog, then stretch lightly.",
        ["jog slowly for five minutes", "swing your arms and legs", "begin the sport with half of your strength"],
        "warm muscles tear less easily",
    ),
    topic(
        "How do I carry heavy boxes safely?", "Bend your knees.",
        ["bend your knees and keep your back straight", "hold the box close to your body", "turn with your feet and not with your back"],
        "a bent back carries many times the weight",
    ),
    topic(
        "What can I do against stress before an exam?", "Breathe slowly.",
        ["breathe out slowly for a minute", "write down what you know already", "go for a short walk"],
        "slow breath lowers the pulse",
    ),
    topic(
        "How do I remove a splinter?", "Tweezers, clean needle.",
        ["wash your hands and the skin", "lift the splinter with a clean needle", "pull it out with tweezers"],
        "a splinter comes out best in the direction it went in",
    ),
    topic(
        "How do I get fit without a gym?", "Walk and climb stairs.",
        ["walk or cycle to work", "take the stairs every time", "do some exercises before breakfast"],
        "many small efforts add up over a week",
    ),
    topic(
        "How do I stay warm in winter?", "Wear layers.",
        ["wear several thin layers", "cover your head and your hands", "keep moving when you are outside"],
        "the air between the layers holds your warmth",
    ),
    topic(
        "How do I rest my eyes at the computer?", "Look far away.",
        ["look far away every twenty minutes", "blink more often", "make the letters larger"],
        "the eye tires when it looks at one distance only",
    ),
];
