//! `berth logs`.

use std::io::{IsTerminal, Write};

use berth_engine::logs::{self, Follow, Options, Printer, parse_moment};
use jiff::Timestamp;

use crate::context;
use crate::globals::Globals;
use crate::ui::diagnostic::Failure;
use crate::verbs::{Outcome, Verb};

/// Show what a container wrote
#[derive(Debug, clap::Args)]
pub struct Logs {
    /// Show the attributes of each line, which log options such as `labels=` and `env=` gave it
    #[arg(long)]
    details: bool,
    /// Go on showing until the container ends
    #[arg(short, long)]
    follow: bool,
    /// Only what is not older (a time, or a duration such as 10m)
    #[arg(long, value_name = "TIME")]
    since: Option<String>,
    /// Only what is not newer
    #[arg(long, value_name = "TIME")]
    until: Option<String>,
    /// Only so many lines from the end, or `all`
    #[arg(
        short = 'n',
        long,
        value_name = "NUMBER",
        default_value = "all",
        allow_hyphen_values = true
    )]
    tail: String,
    /// Show the time of each line
    #[arg(short, long)]
    timestamps: bool,
    /// The container, by name or id
    container: String,
}

impl Verb for Logs {
    fn run(self, globals: &Globals) -> Outcome {
        let options = self.options()?;
        let engine = context::engine(globals)?;
        let id = engine.find(&self.container)?;
        let config = engine.config(&id)?;
        if !config.log.is_kept() {
            return Err(logs::Error::NoLog.into());
        }
        let path = engine.layout().log(&id);
        let exit_dir = engine.layout().container(&id);
        let mut is_running = || engine.status(&id).is_ok_and(|status| status.is_alive());
        let follow = self.follow.then_some(Follow {
            exit_dir: &exit_dir,
            is_running: &mut is_running,
        });

        let sanitize = std::io::stdout().is_terminal() && !config.process.tty;
        // Bulk output is buffered; what is followed is seen at once.
        let mut out = std::io::BufWriter::new(std::io::stdout().lock());
        let mut err = std::io::BufWriter::new(std::io::stderr().lock());
        let mut printer =
            Printer::new(&mut out, &mut err, self.timestamps, sanitize).with_details(self.details);
        let flush_each = self.follow;
        logs::read(&path, &options, follow, &mut |record| {
            printer.print(record)?;
            if flush_each { printer.flush() } else { Ok(()) }
        })?;
        printer.flush()?;
        let dropped = printer.dropped();
        if dropped > 0 {
            let _ = writeln!(
                err,
                "berth: the log lost {dropped} records because the disk was full"
            );
        }
        Ok(0)
    }
}

impl Logs {
    fn options(&self) -> Result<Options, Failure> {
        let now = Timestamp::now();
        let moment = |text: &Option<String>| {
            text.as_deref()
                .map(|text| parse_moment(text, now))
                .transpose()
        };
        let tail = match self.tail.as_str() {
            "all" => None,
            // Docker shows all for a negative number.
            number => match number.parse::<i64>() {
                Ok(number) => usize::try_from(number).ok(),
                Err(_) => {
                    return Err(Failure::new(format!(
                        "`{number}` is not a number of lines (or `all`)"
                    )));
                }
            },
        };
        Ok(Options {
            since: moment(&self.since)?,
            until: moment(&self.until)?,
            tail,
            ..Options::default()
        })
    }
}
