//! The command that `run` runs: what it finds in its environment, which signals reach it, and how it ended.
//!
//! Invariant: a variable that is set already is never changed, and every signal that would have ended the command without
//! foreshock in front of it still gets to it, once.

use super::exit::ExitStatus;
use anyhow::{Result, anyhow};
use clap::ValueEnum;
use std::borrow::Cow;
use std::ffi::OsString;
use std::io;
use std::net::SocketAddr;
use std::path::Path;
use std::process::ExitStatus as Ended;
use std::time::Duration;
use tokio::process::Command;
use tokio::sync::oneshot;

const PROTOCOL: &str = "OTEL_EXPORTER_OTLP_PROTOCOL";
const ENDPOINT: &str = "OTEL_EXPORTER_OTLP_ENDPOINT";
const INTERVAL: &str = "OTEL_METRIC_EXPORT_INTERVAL";
const EXPORTER: &str = "OTEL_METRICS_EXPORTER";
/// The same for metrics alone; what is set there wins.
const METRICS_PROTOCOL: &str = "OTEL_EXPORTER_OTLP_METRICS_PROTOCOL";
const METRICS_ENDPOINT: &str = "OTEL_EXPORTER_OTLP_METRICS_ENDPOINT";
/// Can keep an exporter from reaching this machine. Set for other reasons as well.
const HINDRANCES: [&str; 5] = ["HTTP_PROXY", "http_proxy", "ALL_PROXY", "grpc_proxy", "OTEL_SDK_DISABLED"];

/// How a client speaks when nothing says so.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum Protocol {
    /// OTLP/gRPC
    Grpc,
    /// OTLP/HTTP with protobuf
    #[value(name = "http/protobuf")]
    Http,
}

/// What the command gets by its environment.
pub(super) struct Variables {
    set: Vec<(&'static str, String)>,
    /// What was set already and sends metrics elsewhere. Values are not shown: there may be a password in them.
    pub(super) elsewhere: Vec<&'static str>,
    /// What is set and may keep metrics from coming.
    pub(super) hindrances: Vec<&'static str>,
}

impl Variables {
    /// What to set, and what is set already.
    pub(super) fn new((grpc, http): (SocketAddr, SocketAddr), protocol: Protocol, interval: Duration) -> Self {
        let spoken = there(METRICS_PROTOCOL).or_else(|| there(PROTOCOL));
        let is_grpc = spoken.map_or(protocol == Protocol::Grpc, |spoken| spoken == "grpc");
        let endpoint = if is_grpc { grpc } else { http };
        let wanted = [
            (EXPORTER, "otlp".to_string()),
            (PROTOCOL, if is_grpc { "grpc".to_string() } else { "http/protobuf".to_string() }),
            (ENDPOINT, format!("http://{endpoint}")),
            (INTERVAL, interval.as_millis().to_string()),
            // Other signals would go to the same place, where nobody takes them.
            ("OTEL_TRACES_EXPORTER", "none".to_string()),
            ("OTEL_LOGS_EXPORTER", "none".to_string()),
        ];
        let leads_elsewhere = |name: &&'static str| match there(name) {
            Some(value) => *name != EXPORTER || value.split(',').all(|part| part.trim() != "otlp"),
            None => false,
        };
        let is_set = |name: &&'static str| there(name).is_some();
        Variables {
            elsewhere: [ENDPOINT, METRICS_ENDPOINT, EXPORTER].into_iter().filter(leads_elsewhere).collect(),
            hindrances: HINDRANCES.into_iter().filter(is_set).collect(),
            set: wanted.into_iter().filter(|(name, _)| there(name).is_none()).collect(),
        }
    }
}

/// How often the command exports, when the environment says so.
pub(super) fn interval_there() -> Option<Duration> {
    let given = there(INTERVAL)?.trim().parse().ok().map(Duration::from_millis);
    given.filter(|given| !given.is_zero())
}

#[allow(clippy::disallowed_methods, reason = "what the command is given depends on what it has already")]
fn there(name: &str) -> Option<String> {
    // An empty variable counts as unset, as OpenTelemetry has it.
    let value = std::env::var_os(name)?.to_string_lossy().into_owned();
    (!value.is_empty()).then_some(value)
}

/// Whether there is such a program, as far as that can be seen without starting it.
pub(super) fn find(command: &[OsString]) -> Result<()> {
    let Some(name) = command.first().map(Path::new) else { return Ok(()) };
    #[allow(clippy::disallowed_methods, reason = "a program is looked for where the system will look")]
    let path = std::env::var_os("PATH").unwrap_or_default();
    let is_there = if name.components().count() > 1 {
        name.exists()
    } else {
        std::env::split_paths(&path).any(|folder| folder.join(name).exists() || cfg!(windows))
    };
    if is_there { Ok(()) } else { Err(cannot_run(command, &io::ErrorKind::NotFound.into())) }
}

fn cannot_run(command: &[OsString], error: &io::Error) -> anyhow::Error {
    anyhow!("cannot run {}: {error}; nothing was evaluated", shown(command))
}

/// Runs the command to its end. `ended` gets its message then, or when it could not be run.
pub(super) fn run(command: &[OsString], variables: &Variables, ended: oneshot::Sender<()>) -> Result<ExitStatus> {
    let failed = |error| cannot_run(command, &error);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(failed)?;
    let result = runtime.block_on(async {
        let (name, arguments) = command.split_first().ok_or_else(|| io::Error::from(io::ErrorKind::InvalidInput))?;
        let mut signals = signals::hear()?;
        let mut command = Command::new(name);
        command.args(arguments).envs(variables.set.iter().map(|(name, value)| (name, value)));
        let mut child = command.spawn()?;
        loop {
            tokio::select! {
                status = child.wait() => return status,
                Some(signal) = signals.recv() => signals::pass_on(&child, signal),
            }
        }
    });
    // When nobody listens any more, receiving has ended already.
    let _ = ended.send(());
    result.map(status).map_err(failed)
}

/// The command as one would type it.
pub(super) fn shown(command: &[OsString]) -> String {
    let words: Vec<String> = command.iter().map(|word| quoted(&word.to_string_lossy())).collect();
    words.join(" ")
}

/// A word as a shell reads it back.
pub(super) fn quoted(word: &str) -> String {
    // No word of a command has a NUL character.
    // shlex quotes `=` too, which a shell takes apart in the first word of a command only.
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "-_=./:,@%+".contains(c);
    if !word.is_empty() && word.chars().all(is_plain) {
        return word.to_string();
    }
    shlex::try_quote(word).map_or_else(|_| word.to_string(), Cow::into_owned)
}

#[cfg(unix)]
fn code(ended: Ended) -> Option<i32> {
    use std::os::unix::process::ExitStatusExt;
    ended.code().or_else(|| Some(128 + ended.signal()?))
}

#[cfg(not(unix))]
fn code(ended: Ended) -> Option<i32> {
    ended.code()
}

fn status(ended: Ended) -> ExitStatus {
    if ended.success() {
        return ExitStatus::Passed;
    }
    // Where exit codes have more than eight bits, one that would look like success is a failure all the same.
    let code = code(ended).and_then(|code| u8::try_from(code & 0xff).ok()).filter(|&code| code != 0);
    ExitStatus::Command(code.unwrap_or(1))
}

#[cfg(unix)]
mod signals {
    //! Signals for the command.

    use rustix::process::{Pid, Signal, getpgrp, kill_process};
    use rustix::termios::tcgetpgrp;
    use std::io;
    use tokio::process::Child;
    use tokio::signal::unix::{SignalKind, signal};
    use tokio::sync::mpsc;

    const FORWARDED: [Signal; 6] = [Signal::INT, Signal::TERM, Signal::HUP, Signal::QUIT, Signal::USR1, Signal::USR2];

    /// Hears the signals that are sent to this process.
    pub(super) fn hear() -> io::Result<mpsc::Receiver<Signal>> {
        let (sender, receiver) = mpsc::channel(FORWARDED.len());
        for number in FORWARDED {
            let mut heard = signal(SignalKind::from_raw(number.as_raw()))?;
            let sender = sender.clone();
            tokio::spawn(async move { while heard.recv().await.is_some() && sender.send(number).await.is_ok() {} });
        }
        Ok(receiver)
    }

    /// Gives the command a signal, unless it has it already: what is typed at a terminal goes to everything in front of it.
    pub(super) fn pass_on(child: &Child, signal: Signal) {
        let typed = matches!(signal, Signal::INT | Signal::QUIT);
        if typed && tcgetpgrp(io::stdin()).is_ok_and(|group| group == getpgrp()) {
            return;
        }
        let pid = child.id().and_then(|id| Pid::from_raw(i32::try_from(id).ok()?));
        if let Some(pid) = pid {
            // A command that has just ended needs no signal.
            let _ = kill_process(pid, signal);
        }
    }
}

#[cfg(not(unix))]
mod signals {
    //! Elsewhere the console tells every process itself.

    use tokio::process::Child;
    use tokio::sync::mpsc;

    /// Hears what ends a process, so that this one lives on until the command has ended; there is nothing to pass on.
    pub(super) fn hear() -> std::io::Result<mpsc::Receiver<i32>> {
        let (sender, receiver) = mpsc::channel(1);
        tokio::spawn(async move { while tokio::signal::ctrl_c().await.is_ok() && sender.send(2).await.is_ok() {} });
        Ok(receiver)
    }

    pub(super) fn pass_on(_child: &Child, _signal: i32) {}
}

#[cfg(test)]
mod tests {
    use super::quoted;

    #[test]
    fn a_word_is_quoted_when_a_shell_would_take_it_apart() {
        assert_eq!(quoted("--window-scale=0.05"), "--window-scale=0.05");
        assert_eq!(quoted("sleep 1; echo $HOME"), "'sleep 1; echo $HOME'");
        assert_eq!(quoted("it's"), "\"it's\"");
        assert_eq!(quoted(""), "''");
    }
}
