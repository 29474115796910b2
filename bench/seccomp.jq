# Docker's profile → the `seccomp` section of a config.json, as an engine would make it: for this machine's
# architecture, `$kernel` (such as "6.1") and the capabilities in `$caps`.
def numbers: split(".") | map(tonumber);
($kernel | numbers) as $now |
def here: . == null or index("amd64") != null;
def fits($rule):
    ($rule.includes // {}) as $in | ($rule.excludes // {}) as $out |
    ($in.arches | here) and (($in.caps // []) - $caps == []) and
    ($in.minKernel == null or ($in.minKernel | numbers) <= $now) and
    ($out.arches == null or ($out.arches | here | not)) and (($out.caps // []) - ($out.caps // [] | . - $caps) == []);
{
    defaultAction, defaultErrnoRet,
    architectures: (.archMap[] | select(.architecture == "SCMP_ARCH_X86_64") | [.architecture] + .subArchitectures),
    syscalls: [.syscalls[] | select(fits(.)) | {names, action, errnoRet, args} | with_entries(select(.value != null))]
} | with_entries(select(.value != null))
