//! Plain columns, as Go's tabwriter makes them for docker: at least ten wide, three spaces between.

/// Least width of a column with its padding.
const WIDTH_MIN: usize = 10;
/// Spaces behind the widest cell.
const PADDING: usize = 3;

/// Lays out lines whose cells end in tabs; the last cell of a line is not padded.
/// A column ends where a line lacks its cell.
///
/// Source: Go, text/tabwriter; docker/cli `formatter.go` (minwidth 10, padding 3).
pub fn layout(lines: &[String]) -> String {
    let cells: Vec<Vec<&str>> = lines
        .iter()
        .map(|line| line.split('\t').collect())
        .collect();
    let columns = cells.iter().map(Vec::len).max().unwrap_or(0);
    let mut widths = vec![vec![0; columns]; cells.len()];
    for column in 0..columns {
        let mut from = 0;
        while from < cells.len() {
            let has = |line: &Vec<&str>| line.len() > column + 1;
            if !has(&cells[from]) {
                from += 1;
                continue;
            }
            let to = cells[from..]
                .iter()
                .position(|line| !has(line))
                .map_or(cells.len(), |n| from + n);
            let widest = cells[from..to]
                .iter()
                .map(|line| width(line[column]) + PADDING)
                .max()
                .unwrap_or(0);
            for line in &mut widths[from..to] {
                line[column] = widest.max(WIDTH_MIN);
            }
            from = to;
        }
    }
    let mut out = String::new();
    for (line, widths) in cells.iter().zip(&widths) {
        for (column, cell) in line.iter().enumerate() {
            out.push_str(cell);
            if column + 1 < line.len() {
                out.push_str(&" ".repeat(widths[column].saturating_sub(width(cell))));
            }
        }
        out.push('\n');
    }
    out
}

fn width(cell: &str) -> usize {
    cell.chars().count()
}

/// At most `length` characters, the last one an ellipsis when text was cut off, as docker's columns do.
pub fn ellipsis(text: &str, length: usize) -> String {
    if text.chars().count() <= length {
        return text.to_owned();
    }
    text.chars()
        .take(length.saturating_sub(1))
        .chain(['…'])
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_dockers() {
        let lines = [
            "CONTAINER ID\tIMAGE\tNAMES",
            "0123456789ab\tbusybox\ta",
            "0123456789ab\talpine:latest\tlonger",
        ];
        let want = "CONTAINER ID   IMAGE           NAMES\n0123456789ab   busybox         a\n0123456789ab   alpine:latest   longer\n";
        assert_eq!(layout(&lines.map(String::from)), want);
        assert_eq!(layout(&["A\tB".into()]), "A         B\n");
        assert_eq!(layout(&["one".into()]), "one\n");
    }

    #[test]
    fn long_text_ends_in_an_ellipsis() {
        assert_eq!(ellipsis("\"sleep 1000000\"", 20), "\"sleep 1000000\"");
        assert_eq!(
            ellipsis("\"/bin/sh -c 'while true'\"", 20),
            "\"/bin/sh -c 'while …"
        );
        assert_eq!(ellipsis("äöü", 2), "ä…");
    }
}
