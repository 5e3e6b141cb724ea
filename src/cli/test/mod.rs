//! `plumbline test`: policies, what AWS would answer, and the verdicts that are expected, without AWS.

mod compare;
mod spec;

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::Args;
use jiff::Timestamp;
use serde_json::{Value, json};

use self::compare::{Said, differences, is_called, is_named};
use self::spec::{Expectation, Expected, Given, PolicyTest};
use super::files::{self, Found};
use super::output::{plain, say};
use crate::api::policy::Enforcement;
use crate::aws::apigateway::properties;
use crate::judge::cel::Document;
use crate::judge::compile::Policy;
use crate::judge::{self, Question, Snapshot};

/// How a file with tests is called.
const ENDINGS: &[&str] = &[".test.yaml", ".test.yml", ".test.json"];

/// Runs the tests of policies in a folder. AWS is not asked anything.
#[derive(Debug, Args)]
pub struct Test {
    /// A file `*.test.yaml`, or a folder that holds such files
    #[arg(value_name = "DIR")]
    dir: PathBuf,
}

/// How it went.
#[derive(Debug, Default)]
struct Tally {
    tests: usize,
    expectations: usize,
    differences: usize,
    unexpected: usize,
    unreadable: usize,
}

impl Test {
    /// Runs: 0 all as expected, 1 differences, 2 something cannot be read.
    pub fn run(self) -> Result<ExitCode, String> {
        let named = |file: &PathBuf| {
            let name = file.to_string_lossy();
            ENDINGS.iter().any(|ending| name.ends_with(ending))
        };
        let files = files::list(&self.dir)?;
        let files = files.into_iter().filter(|file| *file == self.dir || named(file));
        let mut tally = Tally::default();
        for file in files {
            tally.file(&file);
        }
        if tally.tests == 0 && tally.unreadable == 0 {
            return Err(format!(
                "{}: no test in it: write one in a file *.test.yaml",
                self.dir.display()
            ));
        }
        say(tally.told().trim_end());
        Ok(ExitCode::from(
            match (tally.unreadable, tally.differences + tally.unexpected) {
                (0, 0) => 0,
                (0, _) => 1,
                _ => 2,
            },
        ))
    }
}

impl Tally {
    fn file(&mut self, file: &Path) {
        let read = std::fs::read_to_string(file).map_err(|error| error.to_string());
        let tests = read.and_then(|text| serde_saphyr::from_multiple(&text).map_err(|error| error.to_string()));
        let tests: Vec<PolicyTest> = match tests {
            Ok(tests) => tests,
            Err(why) => {
                self.unreadable += 1;
                say(&format!("cannot be read: {}: {why}", file.display()));
                return;
            }
        };
        for (at, test) in tests.iter().enumerate() {
            self.tests += 1;
            let name = test.name.clone().unwrap_or_else(|| format!("test {}", at + 1));
            let folder = file.parent().unwrap_or(Path::new("."));
            match run(test, folder) {
                Ok(result) => {
                    self.expectations += test.expect.len();
                    self.differences += result.differing;
                    self.unexpected += result.unexpected;
                    let verdict = if result.text.is_empty() { "ok" } else { "DIFFERS" };
                    say(&format!("{verdict:<8} {}: {}", file.display(), plain(&name)));
                    if !result.text.is_empty() {
                        say(result.text.trim_end());
                    }
                }
                Err(whys) => {
                    self.unreadable += 1;
                    say(&format!("{:<8} {}: {}", "ERROR", file.display(), plain(&name)));
                    for why in whys {
                        say(&format!(
                            "  cannot be tested: {}",
                            why.trim_end().replace('\n', "\n    ")
                        ));
                    }
                }
            }
        }
    }

    fn told(&self) -> String {
        let Tally {
            tests,
            expectations,
            differences,
            unexpected,
            unreadable,
        } = self;
        let mut told = format!("{tests} tests, {expectations} expectations");
        if differences + unexpected + unreadable == 0 {
            told.push_str(": all as expected");
        } else {
            let _ = write!(
                told,
                ": {differences} different, {unexpected} unexpected, {unreadable} that cannot be read"
            );
        }
        told.push('\n');
        told
    }
}

/// One test's result.
#[derive(Debug, Default)]
struct Ran {
    text: String,
    differing: usize,
    unexpected: usize,
}

fn run(test: &PolicyTest, folder: &Path) -> Result<Ran, Vec<String>> {
    let policies = policies(test, folder)?;
    let before = snapshots(&test.before, folder)?;
    let snapshots = snapshots(&test.fixtures, folder)?;
    let now = time(test, &policies)?;
    let faults: Vec<String> = test
        .expect
        .iter()
        .filter_map(|e| e.fault().or_else(|| nobody(e, &policies.policies, &snapshots)))
        .collect();
    if !faults.is_empty() {
        return Err(faults);
    }
    let court = Court { test, policies, now };
    let mut compliant: BTreeMap<_, BTreeMap<String, Value>> = BTreeMap::new();
    for snapshot in &before {
        let seen = compliant.entry(snapshot.endpoint.clone()).or_default();
        let held = court.judge(snapshot, seen).compliant;
        seen.extend(held);
    }
    let mut said = Vec::new();
    for snapshot in &snapshots {
        let seen = compliant.get(&snapshot.endpoint).cloned().unwrap_or_default();
        let verdicts = court.judge(snapshot, &seen).verdicts;
        said.extend(verdicts.into_iter().filter_map(|verdict| {
            let policy = court.policies.policies.iter().find(|p| p.id == verdict.policy)?;
            Some(Said {
                snapshot,
                policy,
                now,
                verdict,
            })
        }));
    }
    Ok(compared(test, &said))
}

fn compared(test: &PolicyTest, said: &[Said<'_>]) -> Ran {
    let mut ran = Ran::default();
    let text = &mut ran.text;
    for expected in &test.expect {
        let meant: Vec<&Said<'_>> = said.iter().filter(|said| said.is_meant(expected)).collect();
        let mut differs = false;
        if meant.is_empty() && expected.outcome != Expected::NotApplicable {
            differs = true;
            let _ = writeln!(text, "  different: {}", place(expected));
            lines(
                text,
                &("outcome", format!("{:?}", expected.outcome), "NotApplicable".into()),
            );
        }
        for said in meant {
            let found = differences(expected, said);
            if found.is_empty() {
                continue;
            }
            differs = true;
            let _ = writeln!(text, "  different: {}", plain(&said.place()));
            for difference in &found {
                lines(text, difference);
            }
        }
        ran.differing += usize::from(differs);
    }
    let unexpected = |said: &&Said<'_>| said.matters() && !test.expect.iter().any(|e| said.is_meant(e));
    for said in said.iter().filter(|_| test.strict).filter(unexpected) {
        ran.unexpected += 1;
        let _ = writeln!(text, "  unexpected: {}", plain(&said.place()));
        let _ = writeln!(text, "    - {}", plain(&said.line()));
    }
    ran
}

/// Where an expectation looks.
fn place(expected: &Expectation) -> String {
    let parts = [&expected.endpoint, &expected.resource];
    let mut place = match &expected.policy {
        Some(policy) => format!("{policy}/{}", expected.rule),
        None => expected.rule.clone(),
    };
    for part in parts.into_iter().flatten().filter(|part| !part.is_empty()) {
        let _ = write!(place, ", {part}");
    }
    place
}

fn lines(text: &mut String, (what, expected, is): &(&str, String, String)) {
    let _ = writeln!(text, "    {what:<8} expected {}", plain(expected));
    let _ = writeln!(text, "    {:<8} is       {}", "", plain(is));
}

fn policies(test: &PolicyTest, folder: &Path) -> Result<Found, Vec<String>> {
    let mut all = Found::default();
    for path in &test.policies {
        let Found {
            policies,
            exceptions,
            faults,
        } = files::read(&folder.join(path)).map_err(|fault| vec![fault])?;
        all.policies.extend(policies);
        all.exceptions.extend(exceptions);
        all.faults.extend(faults);
    }
    if !all.faults.is_empty() {
        return Err(all.faults);
    }
    if all.policies.is_empty() {
        return Err(vec!["policies: no EndpointPolicy in these files".into()]);
    }
    if let Some(enforcement) = test.enforcement {
        let rules = all.policies.iter_mut().flat_map(|policy| &mut policy.rules);
        rules.for_each(|rule| rule.enforcement = enforcement);
    }
    for (name, value) in &test.params {
        let mut found = false;
        for policy in &mut all.policies {
            let mut params = policy.params.json().clone();
            if let Some(own) = params.get_mut(name) {
                own.clone_from(value);
                policy.params = Document::new(params);
                found = true;
            }
        }
        if !found {
            return Err(vec![format!("params: no policy here has a param {name}")]);
        }
    }
    Ok(all)
}

fn snapshots(given: &[Given], folder: &Path) -> Result<Vec<Snapshot>, Vec<String>> {
    let mut all = Vec::new();
    for given in given {
        let place = match given {
            Given::File(path) => format!("{}: ", path.display()),
            Given::Inline(_) => String::new(),
        };
        for fixture in given.fixtures(folder).map_err(|why| vec![why])? {
            all.push(fixture.snapshot().map_err(|why| vec![format!("{place}{why}")])?);
        }
    }
    Ok(all)
}

/// The time, which must be said where something hangs on it.
fn time(test: &PolicyTest, found: &Found) -> Result<Timestamp, Vec<String>> {
    if let Some(now) = test.now {
        return Ok(now);
    }
    let names_it = |policy: &Policy| {
        let reads = |rule: &judge::compile::Rule| {
            let require = match &rule.holds {
                judge::compile::Holds::Require(program) => Some(program),
                judge::compile::Holds::Desired(_) => None,
            };
            let programs = [rule.when.as_ref(), require, rule.message.as_ref()];
            programs.into_iter().flatten().any(|program| program.uses("now"))
        };
        policy.rules.iter().any(reads)
    };
    if !found.exceptions.is_empty() || found.policies.iter().any(|p| !p.windows.is_empty() || names_it(p)) {
        return Err(vec![
            "what comes out hangs on the time here, by an exception, a window or a rule that names `now`: write it, as in now: \"2027-01-15T12:00:00Z\"".into(),
        ]);
    }
    Ok(Timestamp::UNIX_EPOCH)
}

/// An expectation that no verdict could ever meet is a slip of the pen.
fn nobody(expected: &Expectation, policies: &[Policy], snapshots: &[Snapshot]) -> Option<String> {
    let name = expected.policy.as_deref();
    let named: Vec<&Policy> = policies
        .iter()
        .filter(|policy| name.is_none_or(|name| is_called(&policy.id, name)))
        .collect();
    let list = |names: Vec<&str>| {
        if names.is_empty() {
            "none".to_owned()
        } else {
            names.join(", ")
        }
    };
    if let (true, Some(name)) = (named.is_empty(), name) {
        let there = list(policies.iter().map(|p| p.id.name.as_str()).collect());
        return Some(format!("there is no policy {name}; there are: {there}"));
    }
    let mut rules = named.iter().flat_map(|policy| &policy.rules);
    let Some(rule) = rules.find(|rule| rule.name == expected.rule) else {
        let there = named.iter().flat_map(|policy| &policy.rules);
        let there = list(there.map(|rule| rule.name.as_str()).collect());
        return Some(format!("there is no rule {}; there are: {there}", expected.rule));
    };
    let endpoint = expected.endpoint.as_deref();
    let mut meant = snapshots
        .iter()
        .filter(|s| endpoint.is_none_or(|name| is_named(s, name)))
        .peekable();
    if let (None, Some(name)) = (meant.peek(), endpoint) {
        let there = list(snapshots.iter().map(|s| s.endpoint.id.as_str()).collect());
        return Some(format!("there is no endpoint {name}; there are: {there}"));
    }
    let keys: Vec<&str> = meant
        .flat_map(|snapshot| &snapshot.resources)
        .filter(|resource| resource.target == rule.target)
        .map(|resource| resource.key.as_str())
        .collect();
    let resource = expected.resource.as_deref().filter(|key| !keys.contains(key))?;
    Some(format!(
        "rule {} judges {}, and no fixture has one called `{resource}`; there are: {}",
        rule.name,
        rule.target.as_str(),
        list(keys)
    ))
}

/// Whoever judges.
struct Court<'a> {
    test: &'a PolicyTest,
    policies: Found,
    now: Timestamp,
}

impl Court<'_> {
    fn judge(&self, snapshot: &Snapshot, last_compliant: &BTreeMap<String, Value>) -> judge::Judgement {
        let policies: Vec<(&Policy, Enforcement)> = self
            .policies
            .policies
            .iter()
            .map(|p| (p, Enforcement::Enforce))
            .collect();
        let exceptions: Vec<_> = self.policies.exceptions.iter().map(|(n, e)| (n.as_str(), e)).collect();
        let id = &snapshot.endpoint.account_id;
        let spec::Account { name, labels } = &self.test.account;
        let name = name.as_ref().unwrap_or(id);
        judge::judge(&Question {
            snapshot,
            policies: &policies,
            exceptions: &exceptions,
            last_compliant,
            account: &Document::new(json!({"name": name, "accountId": id, "labels": labels})),
            tables: properties::table,
            now: self.now,
        })
    }
}
