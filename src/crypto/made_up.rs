//! Recognises secrets that a person typed instead of a random number generator.

/// Is this text a shorter piece repeated, or made of no more than three different characters?
///
/// That random text is taken for such is out of the question: for 32 hexadecimal digits, as in an AppSecret, the
/// chance is below 1 in 10^18; for the 43 characters of a master key, below 1 in 10^38.
pub fn is_made_up(text: &[u8]) -> bool {
    let repeats = |period: usize| text.iter().zip(&text[period..]).all(|(a, b)| a == b);
    let different: std::collections::BTreeSet<&u8> = text.iter().collect();
    different.len() <= 3 || (1..=text.len() / 2).any(repeats)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::crypto::{hex, random_bytes};

    #[test]
    fn patterns_are_seen_and_random_text_is_not() {
        for made_up in [
            "",
            "aaaaaaaaaaaaaaaa",
            "0000000000000001",
            "abcdabcdabcdabcd",
            "12345678901234567890123456789012",
            "0123456789abcdef0123456789abcdef",
            "changemechangemechangemechangemechangemecha",
        ] {
            assert!(is_made_up(made_up.as_bytes()), "{made_up}");
        }
        for _ in 0..1000 {
            assert!(!is_made_up(hex(&random_bytes::<16>()).as_bytes()));
        }
    }
}
