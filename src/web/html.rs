//! Text in pages that are written by hand.

/// Text as it stands in HTML, between tags or in a quoted attribute.
#[must_use]
pub fn escaped(text: &str) -> String {
    let mut html = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => html.push_str("&amp;"),
            '<' => html.push_str("&lt;"),
            '>' => html.push_str("&gt;"),
            '"' => html.push_str("&quot;"),
            '\'' => html.push_str("&#39;"),
            other => html.push(other),
        }
    }
    html
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_of_a_text_is_markup() {
        assert_eq!(
            escaped(r#"<a href='x'>"&"林"#),
            "&lt;a href=&#39;x&#39;&gt;&quot;&amp;&quot;林"
        );
    }
}
