//! Names from files, made to show what they are. Escaping for HTML is the templates' and the charts' business; here characters
//! that would change how their surroundings are read become visible.

/// The text with control characters, separators of lines and marks that change the direction of writing replaced by what
/// they are called, as `‹U+202E›`.
pub fn visible(text: &str) -> String {
    let mut shown = String::with_capacity(text.len());
    for letter in text.chars() {
        if is_hidden(letter) {
            shown.push_str(&format!("‹U+{:04X}›", u32::from(letter)));
        } else {
            shown.push(letter);
        }
    }
    shown
}

/// Controls, format characters that are not seen, line separators, and noncharacters.
fn is_hidden(letter: char) -> bool {
    letter.is_control()
        || matches!(letter,
            '\u{ad}' | '\u{61c}' | '\u{180e}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}' | '\u{fe00}'..='\u{fe0f}' | '\u{feff}' | '\u{fff9}'..='\u{fffb}'
            | '\u{e0000}'..='\u{e0fff}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_hides_is_shown_and_the_rest_stays() {
        assert_eq!(visible("btree-64KiB <b> ü 木"), "btree-64KiB <b> ü 木");
        assert_eq!(visible("a\u{202e}b\u{1b}[31m\nc\u{200b}"), "a‹U+202E›b‹U+001B›[31m‹U+000A›c‹U+200B›");
    }
}
