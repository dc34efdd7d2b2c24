//! The parts of the page that are written by hand, in `bench/texts`.

/// What was tried without success, in Markdown.
pub(crate) const TRIED: &str = include_str!("../texts/tried.md");

/// What the table of targets says about the last point, which is not measured.
pub(crate) const POINT_8: &str = "a new store is one file in `bench/store`";

/// Sentences about missed targets: lines of `area | table | work | sentence`, where `*` stands for any. Where a target is
/// not about time, the table begins with the column, as in `allocations: Redis, 20 KB`.
const MISSED: &str = include_str!("../texts/missed.txt");

/// Returns why a target is missed, by the first line that fits. Empty if no line does.
pub(crate) fn where_the_time_goes(area: &str, table: &str, work: &str) -> &'static str {
    lines()
        .find(|[of, tables, works, _]| {
            *of == area && fits(tables, table) && (*works == "*" || *works == work)
        })
        .map_or("", |[.., sentence]| sentence)
}

fn fits(pattern: &str, table: &str) -> bool {
    pattern.strip_suffix('*').map_or(pattern == table, |begin| table.starts_with(begin))
}

fn lines() -> impl Iterator<Item = [&'static str; 4]> {
    let lines = MISSED.lines().filter(|line| !line.starts_with('#') && !line.is_empty());
    lines.map(|line| {
        let parts: Vec<&str> = line.splitn(4, " | ").map(str::trim).collect();
        parts.try_into().expect("a test reads all lines")
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::areas::AREAS;

    #[test]
    fn each_line_is_about_an_area_and_says_something() {
        for [area, table, work, sentence] in lines() {
            assert!(AREAS.iter().any(|known| known.name == area), "{area}");
            assert!(!table.is_empty() && !work.is_empty() && sentence.ends_with('.'), "{sentence}");
        }
    }

    #[test]
    fn a_star_stands_for_the_rest_of_a_table() {
        assert!(fits("*", "Redis, 20 KB") && fits("Redis, *", "Redis, 20 KB"));
        assert!(fits("Redis, 20 KB", "Redis, 20 KB") && !fits("Redis", "Redis, 20 KB"));
    }
}
