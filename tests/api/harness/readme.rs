//! Code blocks of the README, for running them verbatim.

const README: &str = include_str!("../../../README.md");

/// The fenced block of this language that contains this text, without its fences.
pub fn readme_block(language: &str, holds: &str) -> String {
    let opening = format!("\n```{language}\n");
    let blocks = README.split(&opening).skip(1).filter_map(|rest| rest.split_once("\n```\n"));
    let mut found = blocks.map(|(block, _)| block).filter(|block| block.contains(holds));
    let block = found.next().unwrap_or_else(|| panic!("README.md has no {language} block with {holds:?}"));
    assert!(found.next().is_none(), "README.md has two {language} blocks with {holds:?}");
    block.to_owned() + "\n"
}
