//! A job → what `bulkhead load` with the same arguments would run. Only the part that sends requests is
//! looked at: results are the coordinator's.

use anyhow::anyhow;
use bulkhead_load::remote::{Job, WorkloadFactory};
use bulkhead_load::{LoadOptions, Random};
use clap::Parser;

use super::super::args::LoadArgs;
use super::super::job::{FILE_FLAGS, Unpacked};
use super::super::{choice, drive, seed_from_clock};

/// The arguments after `bulkhead load`.
#[derive(Debug, Parser)]
#[command(no_binary_name = true, disable_help_flag = true)]
struct Arguments {
    #[command(flatten)]
    load: LoadArgs,
}

/// Reads the arguments and the files of a job.
pub(crate) fn plan(job: &Job) -> anyhow::Result<(LoadOptions, WorkloadFactory)> {
    let mut random = Random::new(seed_from_clock() ^ u64::from(std::process::id()) << 32);
    // Its files are needed no longer than it takes to read them.
    let unpacked = Unpacked::new(job, &FILE_FLAGS, &std::env::temp_dir(), &mut random)?;
    let Arguments { mut load } =
        Arguments::try_parse_from(&unpacked.arguments).map_err(|error| {
            let text = error.to_string();
            anyhow!("{}", text.lines().next().unwrap_or("the arguments cannot be read"))
        })?;
    load.seed.get_or_insert(job.seed);
    let source = choice::choose(&load)?.source;
    drive::check_descriptors(&source.options)?;
    Ok((source.options, Box::new(move |part| (source.workload)(part))))
}
