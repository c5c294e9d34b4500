//! How many elements a drawing has once every `use` stands for what it shows: a few lines may ask for billions.

use std::collections::HashMap;

use resvg::usvg::roxmltree::{Document, Node, NodeId};
use shared::domain::failure::{Failure, FailureCode};

/// Most elements that are drawn.
const ELEMENTS_MAX: u64 = 1_000_000;
const XLINK: &str = "http://www.w3.org/1999/xlink";

/// Refuses a drawing that would keep us busy. Recursion goes no deeper than elements and references are nested, and each
/// element is counted once.
pub(super) fn check(document: &Document<'_>) -> Result<(), Failure> {
    let named = document.descendants().filter_map(|node| Some((node.attribute("id")?, node))).collect();
    let mut counter = Counter { named, counted: HashMap::new() };
    let elements = counter.count(document.root(), 0);
    if elements <= ELEMENTS_MAX {
        return Ok(());
    }
    let reason = format!("the SVG shows more than {ELEMENTS_MAX} elements, `use` followed");
    Err(Failure::new(FailureCode::TooManyPixels, reason))
}

/// Most references and elements within one another that are followed; beyond them counts as too many.
const DEPTH_MAX: u32 = 1024;

struct Counter<'a, 'input> {
    named: HashMap<&'a str, Node<'a, 'input>>,
    /// `None` while it is being counted: who meets it then has found a circle, which shows nothing.
    counted: HashMap<NodeId, Option<u64>>,
}

impl<'a, 'input> Counter<'a, 'input> {
    fn count(&mut self, node: Node<'a, 'input>, depth: u32) -> u64 {
        if depth > DEPTH_MAX {
            return u64::MAX;
        }
        if let Some(known) = self.counted.get(&node.id()) {
            return known.unwrap_or(0);
        }
        self.counted.insert(node.id(), None);
        let shown = self.shown_by(node).map_or(0, |target| self.count(target, depth + 1));
        let within = node
            .children()
            .filter(Node::is_element)
            .fold(0_u64, |sum, child| sum.saturating_add(self.count(child, depth + 1)));
        let elements = within.saturating_add(shown).saturating_add(1);
        self.counted.insert(node.id(), Some(elements));
        elements
    }

    fn shown_by(&self, node: Node<'a, 'input>) -> Option<Node<'a, 'input>> {
        if node.tag_name().name() != "use" {
            return None;
        }
        let reference = node.attribute((XLINK, "href")).or_else(|| node.attribute("href"))?;
        self.named.get(reference.trim().strip_prefix('#')?).copied()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn checked(text: &str) -> Result<(), Failure> {
        check(&Document::parse(text).unwrap())
    }

    #[test]
    fn what_uses_multiply_is_counted() {
        let level = |n: u32| format!("<g id='l{n}'>{}</g>", format!("<use href='#l{}'/>", n - 1).repeat(8));
        let drawing = |levels: u32| {
            let levels: String = (1..=levels).map(level).collect();
            format!("<svg xmlns='http://www.w3.org/2000/svg'><rect id='l0'/>{levels}</svg>")
        };
        assert!(checked(&drawing(4)).is_ok());
        assert_eq!(checked(&drawing(12)).unwrap_err().code, FailureCode::TooManyPixels);
    }

    #[test]
    fn circles_show_nothing() {
        assert!(
            checked("<svg><g id='a'><use href='#a'/><use href='#b'/></g><g id='b'><use href='#a'/></g></svg>").is_ok()
        );
    }
}
