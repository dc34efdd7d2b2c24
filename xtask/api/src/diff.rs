//! What differs between two texts, line by line.

/// How many equal lines are shown around a difference.
const CONTEXT: usize = 2;

/// Returns the lines that differ, with `-` and `+` before them, some equal ones around them, and above each group the
/// last line before it that is not indented: it says what the indented lines are about.
pub(crate) fn diff(old: &str, new: &str) -> String {
    let old: Vec<&str> = old.lines().collect();
    let new: Vec<&str> = new.lines().collect();
    let lines = script(&old, &new);
    let is_near = |index: usize| {
        let from = index.saturating_sub(CONTEXT);
        let to = (index + CONTEXT + 1).min(lines.len());
        lines[from..to].iter().any(|(mark, _)| *mark != ' ')
    };
    let mut printed = String::new();
    let mut about = "";
    let mut last = None;
    for (index, (mark, line)) in lines.iter().enumerate() {
        if is_near(index) {
            if last.is_none_or(|last| last + 1 != index) {
                let about = if line.starts_with(' ') { about } else { "" };
                printed += format!("@@ {about}").trim_end();
                printed.push('\n');
            }
            printed += format!("{mark}{line}").trim_end();
            printed.push('\n');
            last = Some(index);
        }
        if *mark != '-' && !line.is_empty() && !line.starts_with(' ') {
            about = line;
        }
    }
    printed
}

/// The lines of both texts in order, with `-` for those of the old one and `+` for those of the new one alone.
fn script<'a>(old: &[&'a str], new: &[&'a str]) -> Vec<(char, &'a str)> {
    // common[i][j] is how many lines old[i..] and new[j..] have in common.
    let mut common = vec![vec![0_u32; new.len() + 1]; old.len() + 1];
    for i in (0..old.len()).rev() {
        for j in (0..new.len()).rev() {
            common[i][j] = if old[i] == new[j] {
                common[i + 1][j + 1] + 1
            } else {
                common[i + 1][j].max(common[i][j + 1])
            };
        }
    }
    let (mut i, mut j) = (0, 0);
    let mut lines = Vec::new();
    while i < old.len() || j < new.len() {
        if i < old.len() && j < new.len() && old[i] == new[j] {
            lines.push((' ', old[i]));
            (i, j) = (i + 1, j + 1);
        } else if j == new.len() || (i < old.len() && common[i + 1][j] >= common[i][j + 1]) {
            lines.push(('-', old[i]));
            i += 1;
        } else {
            lines.push(('+', new[j]));
            j += 1;
        }
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn differences_stand_among_equal_lines() {
        let old = "pub struct A\nimpl A\n    a\n    b\n    c\n    d\n    e\nimpl B\n    x\n";
        let new = "pub struct A\nimpl A\n    a\n    b\n    c\n    D\n    e\nimpl B\n    x\n";
        assert_eq!(diff(old, new), "@@ impl A\n     b\n     c\n-    d\n+    D\n     e\n impl B\n");
        assert_eq!(diff(old, old), "");
        assert_eq!(diff("", "a\n"), "@@\n+a\n");
    }
}
