//! Markdown as a tree of nodes. Raw HTML becomes text, and only harmless addresses become links.

use pulldown_cmark::{Event, HeadingLevel, Options, Parser, Tag, TagEnd};

/// A node of rendered Markdown.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Markup {
    /// Text as it is.
    Text(String),
    /// Code as it is.
    Code(String),
    /// A forced line break.
    Break,
    /// A line across.
    Rule,
    /// An element with children: its HTML name, of a fixed set.
    Element(&'static str, Vec<Markup>),
    /// A link to an address that was found harmless.
    Link(String, Vec<Markup>),
}

/// Parses Markdown (`CommonMark`).
///
/// ```
/// use gradus::ui::model::markdown::{Markup, parse};
/// let tree = parse("<script>alert(1)</script>");
/// assert!(matches!(&tree[..], [Markup::Text(text)] if text.contains("<script>")));
/// ```
#[must_use]
pub fn parse(source: &str) -> Vec<Markup> {
    // The top of the stack collects the children of what is open.
    let mut open: Vec<(Opened, Vec<Markup>)> = vec![(Opened::Nothing, Vec::new())];
    for event in Parser::new_ext(source, Options::empty()) {
        match event {
            Event::Start(tag) => open.push((Opened::of(&tag), Vec::new())),
            Event::End(end) => close(&mut open, end),
            Event::Text(text) | Event::Html(text) | Event::InlineHtml(text) => {
                add(&mut open, Markup::Text(text.into_string()))
            }
            Event::Code(text) => add(&mut open, Markup::Code(text.into_string())),
            Event::SoftBreak => add(&mut open, Markup::Text("\n".into())),
            Event::HardBreak => add(&mut open, Markup::Break),
            Event::Rule => add(&mut open, Markup::Rule),
            _ => {}
        }
    }
    open.into_iter().next().map(|(_, children)| children).unwrap_or_default()
}

enum Opened {
    Nothing,
    Element(&'static str),
    Link(String),
}

impl Opened {
    fn of(tag: &Tag<'_>) -> Self {
        Self::Element(match tag {
            Tag::Paragraph => "p",
            Tag::Heading { level, .. } => match level {
                // The page's own heading is above.
                HeadingLevel::H1 | HeadingLevel::H2 => "h2",
                HeadingLevel::H3 => "h3",
                _ => "h4",
            },
            Tag::BlockQuote(_) => "blockquote",
            Tag::CodeBlock(_) => "pre",
            Tag::List(Some(_)) => "ol",
            Tag::List(None) => "ul",
            Tag::Item => "li",
            Tag::Emphasis => "em",
            Tag::Strong => "strong",
            Tag::Link { dest_url, .. } if is_harmless(dest_url) => return Self::Link(dest_url.to_string()),
            _ => return Self::Nothing,
        })
    }
}

fn add(open: &mut [(Opened, Vec<Markup>)], node: Markup) {
    if let Some((_, children)) = open.last_mut() {
        children.push(node);
    }
}

fn close(open: &mut Vec<(Opened, Vec<Markup>)>, _: TagEnd) {
    if open.len() < 2 {
        return;
    }
    if let Some((opened, children)) = open.pop() {
        match opened {
            Opened::Element(name) => add(open, Markup::Element(name, children)),
            Opened::Link(address) => add(open, Markup::Link(address, children)),
            Opened::Nothing => children.into_iter().for_each(|child| add(open, child)),
        }
    }
}

/// Whether an address only leads somewhere: http, https, mailto, or relative.
fn is_harmless(address: &str) -> bool {
    // Browsers leave out control characters and blanks inside a scheme, so they are left out before it is judged.
    let plain: String = address.chars().filter(|c| !c.is_control() && !c.is_whitespace()).collect();
    let scheme = plain.split(['/', '?', '#']).next().and_then(|first| first.split_once(':')).map(|(scheme, _)| scheme);
    scheme.is_none_or(|scheme| ["http", "https", "mailto"].contains(&scheme.to_lowercase().as_str()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(nodes: &[Markup]) -> String {
        let one = |node: &Markup| match node {
            Markup::Text(text) => text.clone(),
            Markup::Code(text) => format!("`{text}`"),
            Markup::Break => "|".into(),
            Markup::Rule => "---".into(),
            Markup::Element(name, children) => format!("<{name}>{}</{name}>", text(children)),
            Markup::Link(address, children) => format!("[{}]({address})", text(children)),
        };
        nodes.iter().map(one).collect()
    }

    #[test]
    fn formatting() {
        let check = |source: &str, expected: &str| assert_eq!(text(&parse(source)), expected, "{source}");
        check("# A *b*", "<h2>A <em>b</em></h2>");
        check("one **two** `three`", "<p>one <strong>two</strong> `three`</p>");
        check("- a\n- b", "<ul><li>a</li><li>b</li></ul>");
        check("1. a", "<ol><li>a</li></ol>");
        check("```\nx < y\n```", "<pre>x < y\n</pre>");
        check("a  \nb", "<p>a|b</p>");
        check("> q\n\n---", "<blockquote><p>q</p></blockquote>---");
        check("[x](https://example.com)", "<p>[x](https://example.com)</p>");
        check("", "");
    }

    #[test]
    fn nothing_can_execute() {
        let check = |source: &str, expected: &str| assert_eq!(text(&parse(source)), expected, "{source}");
        check("a <img src=x onerror=alert(1)> b", "<p>a <img src=x onerror=alert(1)> b</p>");
        check("[x](javascript:alert(1))", "<p>x</p>");
        check("[x](JaVaScRiPt:alert(1))", "<p>x</p>");
        check("[x](<java\tscript:alert(1)>)", "<p>x</p>");
        check("[x](data:text/html,a)", "<p>x</p>");
        check("[x](/a:b)", "<p>[x](/a:b)</p>");
        check("![x](https://example.com/a.png)", "<p>x</p>");
    }
}
