//! Docker's options that have nothing to act on here: each says why.

use crate::opts::content_trust::ContentTrust;
use crate::ui::diagnostic::Failure;

#[derive(Debug, clap::Args)]
pub(super) struct ForeignOptions {
    /// GPUs; berth has no driver for them
    #[arg(long, value_name = "REQUEST")]
    gpus: Option<String>,
    /// Limit of kernel memory; Linux has it no more
    #[arg(long, value_name = "SIZE")]
    kernel_memory: Option<String>,
    /// Isolation technology; Linux has one, `default`
    #[arg(long, value_name = "NAME")]
    isolation: Option<String>,
    #[command(flatten)]
    content_trust: ContentTrust,
    /// Give the container the daemon's socket
    #[arg(long)]
    use_api_socket: bool,
    #[arg(long, hide = true, allow_hyphen_values = true)]
    cpu_count: Option<String>,
    #[arg(long, hide = true, allow_hyphen_values = true)]
    cpu_percent: Option<String>,
    #[arg(long, hide = true, allow_hyphen_values = true)]
    io_maxbandwidth: Option<String>,
    #[arg(long, hide = true, allow_hyphen_values = true)]
    io_maxiops: Option<String>,
}

impl ForeignOptions {
    /// Fails with the first that asks for something.
    pub(super) fn refuse(&self) -> Result<(), Failure> {
        self.content_trust.check()?;
        let zero = |value: &Option<String>| value.as_deref().is_none_or(|text| text == "0");
        let wishes = [
            (
                self.gpus.is_none(),
                "--gpus",
                "berth has no driver for GPUs",
                "give their devices: --device /dev/nvidia0",
            ),
            (
                zero(&self.kernel_memory),
                "--kernel-memory",
                "the kernel has no such limit any more",
                "--memory counts the kernel's memory too",
            ),
            (
                matches!(self.isolation.as_deref(), None | Some("" | "default")),
                "--isolation",
                "Linux has one isolation, `default`",
                "leave the option out",
            ),
            (
                !self.use_api_socket,
                "--use-api-socket",
                "who has the daemon's socket is root on the host, and that is to be said",
                "mount it: -v /run/berth/docker.sock:/var/run/docker.sock",
            ),
        ];
        let windows = [
            (&self.cpu_count, "--cpu-count"),
            (&self.cpu_percent, "--cpu-percent"),
            (&self.io_maxbandwidth, "--io-maxbandwidth"),
            (&self.io_maxiops, "--io-maxiops"),
        ]
        .map(|(value, flag)| {
            let why = "it is for Windows";
            (zero(value), flag, why, "leave the option out")
        });
        let asked = wishes.into_iter().chain(windows).find(|wish| !wish.0);
        let Some((_, flag, why, hint)) = asked else {
            return Ok(());
        };
        Err(Failure::new(format!("{flag} cannot be had: {why}")).hint(hint))
    }
}
