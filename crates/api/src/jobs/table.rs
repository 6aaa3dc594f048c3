//! The jobs there are: so many, so many of one user, so many at once.

use std::collections::VecDeque;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use axum::http::StatusCode;
use tokio::sync::Semaphore;

use super::{Job, JobFile, JobKind, JobState, Made, Work};
use crate::problem::{Problem, Result};
use crate::secret;
use crate::state::clock;
use crate::window::rfc3339;

/// Jobs that are remembered; of more, those that ended first are forgotten.
const JOBS_MAX: usize = 100;
/// Jobs at once; more wait, so that searches of people who look at screens find threads.
const RUNNING_MAX: usize = 2;
/// Jobs of one user that have not ended.
const OF_USER_MAX: usize = 8;

/// A job and what belongs to it.
struct Entry {
    job: Job,
    work: Arc<Work>,
    path: PathBuf,
}

/// All jobs.
pub(crate) struct Jobs {
    folder: PathBuf,
    entries: Mutex<VecDeque<Entry>>,
    places: Arc<Semaphore>,
}

impl Jobs {
    /// No jobs, and an empty folder for what they leave. A folder that cannot be made fails the jobs, not the program.
    pub(crate) fn new(folder: PathBuf) -> Self {
        let _ = std::fs::remove_dir_all(&folder);
        Self {
            folder,
            entries: Mutex::default(),
            places: Arc::new(Semaphore::new(RUNNING_MAX)),
        }
    }

    fn entries(&self) -> MutexGuard<'_, VecDeque<Entry>> {
        self.entries.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn places(&self) -> Arc<Semaphore> {
        self.places.clone()
    }

    /// A new job that waits.
    pub(super) fn add(&self, owner: &str, kind: JobKind, about: String) -> Result<(Job, Arc<Work>, PathBuf)> {
        let busy = |why: &str| Err(Problem::later(StatusCode::TOO_MANY_REQUESTS, why, 10));
        let mut entries = self.entries();
        let unended = |entry: &&Entry| !entry.job.state.ended() && entry.job.owner == owner;
        if entries.iter().filter(unended).count() >= OF_USER_MAX {
            return busy("you have eight jobs that have not ended; wait, or cancel one");
        }
        if entries.len() >= JOBS_MAX {
            let Some(at) = entries.iter().position(|entry| entry.job.state.ended()) else {
                return busy("too many jobs wait; try again later");
            };
            entries.remove(at).inspect(remove_file);
        }
        std::fs::create_dir_all(&self.folder).map_err(Problem::internal)?;
        let id = secret::short_id();
        let job = Job {
            id: id.clone(),
            kind,
            about,
            owner: owner.to_owned(),
            state: JobState::Waiting,
            progress: 0.0,
            began: rfc3339(clock()),
            ended: None,
            note: None,
            result: None,
        };
        let (work, path) = (Arc::new(Work::default()), self.folder.join(&id));
        entries.push_back(Entry {
            job: job.clone(),
            work: work.clone(),
            path: path.clone(),
        });
        Ok((job, work, path))
    }

    /// The job's turn has come; false: nobody wants it any more.
    pub(super) fn starts(&self, id: &str) -> bool {
        let mut entries = self.entries();
        let entry = entries.iter_mut().find(|entry| entry.job.id == id);
        let Some(entry) = entry.filter(|entry| entry.job.state == JobState::Waiting) else {
            return false;
        };
        entry.job.state = JobState::Running;
        true
    }

    /// The job is over.
    pub(super) fn ends(&self, id: &str, made: std::result::Result<Made, String>, bytes: u64) {
        let mut entries = self.entries();
        let Some(entry) = entries.iter_mut().find(|entry| entry.job.id == id) else {
            // Its owner has forgotten it: so must the disk.
            let _ = std::fs::remove_file(self.folder.join(id));
            return;
        };
        let job = &mut entry.job;
        job.ended = Some(rfc3339(clock()));
        match made {
            _ if entry.work.is_cancelled() => job.state = JobState::Cancelled,
            Ok(made) => {
                (job.state, job.progress) = (JobState::Done, 1.0);
                job.note = Some(made.note);
                job.result = Some(JobFile {
                    name: made.name,
                    media_type: made.media_type,
                    bytes,
                });
            }
            Err(why) => (job.state, job.note) = (JobState::Failed, Some(why)),
        }
        if entry.job.result.is_none() {
            remove_file(entry);
        }
    }

    /// Jobs of this user, or of all; latest first.
    pub(super) fn of(&self, owner: Option<&str>) -> Vec<Job> {
        let entries = self.entries();
        let seen = entries.iter().rev().filter(|entry| sees(owner, &entry.job));
        seen.map(shown).collect()
    }

    /// A job and the place of its file.
    pub(super) fn get(&self, id: &str, owner: Option<&str>) -> Result<(Job, PathBuf)> {
        let entries = self.entries();
        let mut found = entries.iter().filter(|entry| entry.job.id == id);
        let entry = found.find(|entry| sees(owner, &entry.job)).ok_or_else(none)?;
        Ok((shown(entry), entry.path.clone()))
    }

    /// Cancels a job, or forgets it when it has ended.
    pub(super) fn cancel(&self, id: &str, owner: Option<&str>) -> Result<()> {
        let mut entries = self.entries();
        let place = |entry: &Entry| entry.job.id == id && sees(owner, &entry.job);
        let at = entries.iter().position(place).ok_or_else(none)?;
        let entry = &mut entries[at];
        match entry.job.state {
            JobState::Running => entry.work.cancel(),
            JobState::Waiting => {
                entry.work.cancel();
                entry.job.state = JobState::Cancelled;
                entry.job.ended = Some(rfc3339(clock()));
            }
            _ => {
                entries.remove(at).inspect(remove_file);
            }
        }
        Ok(())
    }
}

impl Drop for Jobs {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}

fn none() -> Problem {
    Problem::not_found("there is no such job; jobs are forgotten when the program ends")
}

fn sees(owner: Option<&str>, job: &Job) -> bool {
    owner.is_none_or(|owner| owner == job.owner)
}

/// As it is now.
fn shown(entry: &Entry) -> Job {
    let mut job = entry.job.clone();
    if job.state == JobState::Running {
        job.progress = entry.work.done();
    }
    job
}

fn remove_file(entry: &Entry) {
    // A result that stays in spite of it is cleared by the next start.
    let _ = std::fs::remove_file(&entry.path);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn jobs(name: &str) -> Jobs {
        Jobs::new(std::env::temp_dir().join(format!("weir-jobs-{name}-{}", std::process::id())))
    }

    fn add(jobs: &Jobs, owner: &str) -> Result<String> {
        let (job, _, path) = jobs.add(owner, JobKind::FlowExport, "any".to_owned())?;
        std::fs::write(path, "result").unwrap();
        Ok(job.id)
    }

    fn made() -> std::result::Result<Made, String> {
        Ok(Made {
            name: "flows.csv".to_owned(),
            media_type: "text/csv",
            note: "1 record".to_owned(),
        })
    }

    #[test]
    fn a_user_has_so_many_and_all_together_so_many() {
        let jobs = jobs("full");
        for _ in 0..OF_USER_MAX {
            add(&jobs, "ann").unwrap();
        }
        assert!(add(&jobs, "ann").is_err());
        let first = add(&jobs, "ben").unwrap();
        assert!(jobs.starts(&first) && !jobs.starts(&first));
        jobs.ends(&first, made(), 6);
        let path = jobs.get(&first, Some("ben")).unwrap().1;
        assert!(path.exists());
        for at in jobs.of(None).len()..JOBS_MAX {
            add(&jobs, &format!("user{at}")).unwrap();
        }
        add(&jobs, "zoe").unwrap();
        assert!(
            jobs.get(&first, None).is_err() && !path.exists(),
            "the one that ended first made room"
        );
        assert!(add(&jobs, "yan").is_err(), "nobody has ended");
    }

    #[test]
    fn only_the_owner_sees_cancels_and_forgets() {
        let jobs = jobs("owner");
        let (first, second) = (add(&jobs, "ann").unwrap(), add(&jobs, "ann").unwrap());
        assert!(jobs.cancel(&first, Some("ben")).is_err());
        assert_eq!(jobs.of(Some("ben")).len(), 0);
        jobs.cancel(&first, Some("ann")).unwrap();
        assert!(!jobs.starts(&first), "cancelled while it waited");
        assert!(jobs.starts(&second));
        jobs.cancel(&second, None).unwrap();
        assert_eq!(jobs.get(&second, None).unwrap().0.state, JobState::Running);
        jobs.ends(&second, made(), 6);
        let (job, path) = jobs.get(&second, Some("ann")).unwrap();
        assert_eq!((job.state, job.result.is_some()), (JobState::Cancelled, false));
        assert!(!path.exists(), "half a result is none");
        jobs.cancel(&second, Some("ann")).unwrap();
        assert!(jobs.get(&second, Some("ann")).is_err());
    }
}
