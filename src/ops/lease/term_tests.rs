use super::*;

const fn s(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

fn content(version: u32, holder: &str) -> Content {
    Content {
        version: version.to_string(),
        holder: (!holder.is_empty()).then(|| holder.to_owned()),
        lease: Some(s(20)),
    }
}

fn term(identity: &str) -> Term {
    Term::new(identity, Durations::default())
}

fn leads(term: &Term, now: Duration) -> bool {
    term.leads_until().is_some_and(|until| now < until)
}

#[test]
fn the_defaults_keep_the_promise() {
    let d = Durations::default();
    assert!(d.are_sound());
    for (wrong, why) in [
        (Durations { margin: s(10), ..d }, "a write can outlast the lease"),
        (Durations { margin: s(20), ..d }, "leadership never begins"),
        (Durations { renew: s(4), ..d }, "one failed renewal ends leadership"),
        (
            Durations {
                lease: Duration::from_millis(20_500),
                ..d
            },
            "a Lease has whole seconds",
        ),
    ] {
        assert!(!wrong.are_sound(), "{why}");
    }
}

#[test]
fn what_is_seen_decides() {
    let foreign = Some(content(7, "b"));
    let longer = Some(Content {
        lease: Some(s(60)),
        ..content(7, "b")
    });
    let silent = Some(Content {
        lease: None,
        ..content(7, "b")
    });
    for (read, at, now, wanted, why) in [
        (None, 0, 0, Decision::Acquire, "no Lease: nobody waits for anybody"),
        (Some(content(7, "")), 0, 0, Decision::Acquire, "released: taken at once"),
        (
            foreign.clone(),
            100,
            100,
            Decision::Wait(s(103)),
            "another's: looked at again soon",
        ),
        (
            foreign.clone(),
            100,
            129,
            Decision::Wait(s(130)),
            "lease 20 s and write 10 s are not over",
        ),
        (foreign, 100, 130, Decision::Acquire, "they are over"),
        (
            longer.clone(),
            100,
            130,
            Decision::Wait(s(133)),
            "its holder counts 60 s",
        ),
        (longer, 100, 170, Decision::Acquire, "these are over too"),
        (silent, 100, 130, Decision::Acquire, "without a duration ours counts"),
        (
            Some(content(7, "a")),
            100,
            100,
            Decision::Renew,
            "ours, by a write whose answer was lost",
        ),
    ] {
        let mut term = term("a");
        term.read(read, s(at));
        assert_eq!(term.decide(s(now)), wanted, "{why}");
        assert!(!leads(&term, s(now)), "nobody leads by reading: {why}");
    }
}

#[test]
fn a_holder_counts_from_before_it_sent() {
    let mut term = term("a");
    term.wrote(content(1, "a"), s(10), s(13));
    assert_eq!(term.decide(s(12)), Decision::Hold(s(13)));
    assert_eq!(term.decide(s(13)), Decision::Renew);
    assert_eq!(term.leads_until(), Some(s(19)), "sent at 10, lease 20, margin 11");
    assert!(leads(&term, s(18)) && !leads(&term, s(19)));
}

#[test]
fn a_holder_that_is_cut_off_drops_long_before_another_takes_over() {
    let (mut holder, mut observer) = (term("a"), term("b"));
    // The renewal is sent at 0 and takes no time at all to be seen: the worst case for the holder.
    holder.wrote(content(1, "a"), s(0), s(3));
    observer.read(Some(content(1, "a")), s(0));
    let mut taken = None;
    for tick in 0..400 {
        let now = Duration::from_millis(tick * 100);
        observer.read(Some(content(1, "a")), now); // the same again, and again
        if observer.decide(now) == Decision::Acquire {
            taken = Some(now);
            break;
        }
    }
    let (taken, d) = (taken.unwrap(), Durations::default());
    let last_write_ends = holder.leads_until().unwrap() + d.write;
    assert!(last_write_ends < s(0) + d.lease, "within its own lease");
    assert_eq!(taken, d.lease + d.write);
}

#[test]
fn every_write_of_the_holder_starts_the_count_again() {
    let mut term = term("b");
    for (version, at) in [(1, 0), (2, 25), (2, 40), (3, 54)] {
        term.read(Some(content(version, "a")), s(at));
        assert!(
            matches!(term.decide(s(at)), Decision::Wait(_)),
            "version {version} at {at}"
        );
    }
    assert_eq!(term.decide(s(83)), Decision::Wait(s(84)));
    assert_eq!(term.decide(s(84)), Decision::Acquire);
}

#[test]
fn who_finds_another_holder_leads_no_more() {
    let mut term = term("a");
    term.wrote(content(1, "a"), s(0), s(0));
    term.read(Some(content(1, "a")), s(1));
    assert!(leads(&term, s(1)), "reading its own changes nothing");
    term.read(Some(content(2, "a")), s(2));
    assert!(leads(&term, s(2)), "nor does somebody's annotation");
    term.read(Some(content(3, "b")), s(3));
    assert!(!leads(&term, s(3)));
    term.wrote(content(4, "a"), s(40), s(40));
    term.resign();
    assert!(!leads(&term, s(40)));
}

#[test]
fn a_deleted_lease_is_no_short_cut() {
    let mut observer = term("b");
    observer.read(Some(content(1, "a")), s(0));
    observer.read(None, s(5));
    assert!(
        matches!(observer.decide(s(5)), Decision::Wait(_)),
        "its holder may not know yet"
    );
    observer.read(None, s(30));
    assert_eq!(observer.decide(s(30)), Decision::Acquire);

    let mut holder = term("a");
    holder.wrote(content(1, "a"), s(0), s(0));
    holder.read(None, s(3));
    assert!(!leads(&holder, s(3)), "a new replica would take it at once");
    assert_eq!(
        holder.decide(s(3)),
        Decision::Acquire,
        "the holder itself waits for nobody"
    );
}

#[test]
fn a_restarted_container_is_another_process() {
    let mut term = term("pod_2");
    term.read(Some(content(1, "pod_1")), s(0));
    assert!(matches!(term.decide(s(0)), Decision::Wait(_)));
}
