//! Lists as `ps` and `images` print them: a default table, `--format TEMPLATE`, `--format 'table TEMPLATE'`,
//! `--format json`, `--quiet`.

use std::rc::Rc;

use super::clean;
use super::table;
use super::template::{Error, Template, Value};

/// How a list prints itself.
pub struct Listing<'a> {
    /// Field → header; what `table` templates show in their first line.
    pub headers: &'a [(&'a str, &'a str)],
    /// The template behind the default, with tabs between columns.
    pub table: &'a str,
    /// The template of `--quiet`.
    pub quiet: &'a str,
}

impl Listing<'_> {
    /// The whole output.
    ///
    /// # Errors
    /// `format` is no template, or asks for a field that does not exist.
    pub fn print(
        &self,
        format: Option<&str>,
        quiet: bool,
        rows: &[Value],
    ) -> Result<String, Error> {
        match format.map(str::trim) {
            None | Some("table" | "") if quiet => self.lines(self.quiet, rows),
            None | Some("table" | "") => self.with_header(self.table, rows),
            Some("json") => self.lines("{{json .}}", rows),
            Some(text) => match text
                .strip_prefix("table")
                .filter(|rest| rest.starts_with(char::is_whitespace))
            {
                Some(rest) => self.with_header(&unescape(rest.trim()), rows),
                None => self.lines(&unescape(text), rows),
            },
        }
    }

    fn lines(&self, text: &str, rows: &[Value]) -> Result<String, Error> {
        let template = Template::parse(text)?;
        let mut out = String::new();
        for row in rows {
            out.push_str(&template.render(row)?);
            out.push('\n');
        }
        Ok(out)
    }

    fn with_header(&self, text: &str, rows: &[Value]) -> Result<String, Error> {
        let template = Template::parse(text)?;
        let mut lines = vec![template.render_header(&self.header_row())?];
        for row in rows {
            lines.push(template.render(row)?);
        }
        Ok(table::layout(&lines))
    }

    /// Fields give their headers; `.Label "a.b-c"` gives `b c`.
    fn header_row(&self) -> Value {
        let mut fields: Vec<(String, Value)> = self
            .headers
            .iter()
            .map(|(name, header)| ((*name).to_owned(), Value::from(*header)))
            .collect();
        fields.push((
            "Label".into(),
            Value::Method(Rc::new(|args| match args {
                [Value::Str(name)] => Ok(name
                    .rsplit('.')
                    .next()
                    .unwrap_or(name)
                    .replace(['-', '_'], " ")
                    .into()),
                _ => Err("`.Label` needs a label's name".into()),
            })),
        ));
        Value::Struct(fields)
    }
}

/// docker takes `\t` and `\n` written out in a shell's single quotes.
fn unescape(text: &str) -> String {
    text.replace("\\t", "\t").replace("\\n", "\n")
}

/// Text from a container or image, for a cell.
pub fn cell(text: &str) -> Value {
    Value::Str(clean::terminal(text))
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIST: Listing<'_> = Listing {
        headers: &[("ID", "CONTAINER ID"), ("Names", "NAMES")],
        table: "{{.ID}}\t{{.Names}}",
        quiet: "{{.ID}}",
    };

    fn print(format: Option<&str>, quiet: bool) -> String {
        let label: super::super::template::value::Method = Rc::new(|args| match args {
            [name] => Ok(name.to_string().into()),
            _ => Err("`.Label` needs a name".into()),
        });
        let rows = [Value::fields([
            ("ID", "1".into()),
            ("Names", "web".into()),
            ("Label", Value::Method(label)),
        ])];
        LIST.print(format, quiet, &rows).expect("a list")
    }

    #[test]
    fn every_way_docker_prints_a_list() {
        assert_eq!(
            print(None, false),
            "CONTAINER ID   NAMES\n1              web\n"
        );
        assert_eq!(print(None, true), "1\n");
        assert_eq!(print(Some("table"), true), "1\n");
        assert_eq!(print(Some("{{.Names}}"), false), "web\n");
        assert_eq!(
            print(Some("table {{.Names}}\\t{{.ID}}"), false),
            "NAMES     CONTAINER ID\nweb       1\n"
        );
        assert_eq!(
            print(
                Some("table {{upper .Names}}\t{{.Label \"com.x.my-app\"}}"),
                false
            ),
            "NAMES     my app\nWEB       com.x.my-app\n"
        );
        assert_eq!(
            print(Some("json"), false),
            "{\"ID\":\"1\",\"Names\":\"web\"}\n"
        );
    }

    #[test]
    fn no_rows_still_have_a_header() {
        assert_eq!(
            LIST.print(None, false, &[]).as_deref(),
            Ok("CONTAINER ID   NAMES\n")
        );
        assert_eq!(LIST.print(None, true, &[]).as_deref(), Ok(""));
    }

    #[test]
    fn cells_are_cleaned() {
        assert_eq!(cell("a\tb\x1b[2J").to_string(), "a?b?[2J");
    }
}
