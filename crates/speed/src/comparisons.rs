//! Comparisons in tokens, made without a text.

use trainer::example::Item;
use trainer::tokenise::{TokenizedPair, TokenizedPrompt};

/// A comparison of the tokens of prompt, preferred and other response.
pub fn item([prompt, chosen, rejected]: [Vec<u32>; 3], user: String) -> Item {
    let pair = TokenizedPair {
        prompt: TokenizedPrompt {
            ids: prompt,
            soft_at: 0,
            cut: false,
            user_text_cut: false,
        },
        chosen,
        rejected,
        response_cut: false,
    };
    Item::new(pair, Some(user))
}

/// One of tokens below `vocabulary` that mean nothing, so many in the prompt and in each response, with reference log-probs of 0.
pub fn made(number: usize, [prompt, response]: [usize; 2], vocabulary: u32) -> Item {
    let ids = |count: usize, from: usize| -> Vec<u32> {
        let ids = (0..count).map(|i| (from + i) * 7919 + number * 104_729);
        ids.map(|id| (id % vocabulary as usize) as u32).collect()
    };
    let ids = [ids(prompt, 0), ids(response, 1000), ids(response, 2000)];
    with_reference(item(ids, format!("user {number}")))
}

/// The same with reference log-probs of 0.
pub(crate) fn with_reference(item: Item) -> Item {
    let _ = item.reference.set(Default::default()); // It is new.
    item
}
