//! The store in a folder: torn writes, several owners, owners that are gone, lost files.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;
use std::time::{Duration, SystemTime};

use liveavatar_api::store::{FileStore, Store as _};
use liveavatar_api::{Clock as _, Uuid};
use liveavatar_tests::TestClock;
use proptest::prelude::*;

use super::{later, session};

fn folder() -> tempfile::TempDir {
    tempfile::tempdir().unwrap()
}

fn open(folder: &Path) -> FileStore {
    FileStore::open(folder).unwrap()
}

fn journal(folder: &Path) -> std::path::PathBuf {
    folder.join("sessions")
}

fn all(sessions: impl IntoIterator<Item = u128>) -> BTreeSet<Uuid> {
    sessions.into_iter().map(session).collect()
}

async fn held(store: &FileStore) -> BTreeSet<Uuid> {
    store.held().await.unwrap()
}

async fn abandoned(store: &FileStore) -> BTreeSet<Uuid> {
    store.claim_abandoned().await.unwrap().into_iter().collect()
}

#[tokio::test]
async fn what_is_taken_is_held_until_it_is_given_back() {
    let folder = folder();
    let [one, other] = [open(folder.path()), open(folder.path())];
    one.acquire(session(1), later()).await.unwrap();
    other.acquire(session(2), later()).await.unwrap();
    for store in [&one, &other] {
        assert_eq!(held(store).await, all([1, 2]));
        assert_eq!(abandoned(store).await, all([]));
    }
    one.release(session(1)).await.unwrap();
    one.release(session(1)).await.unwrap();
    assert_eq!(held(&other).await, all([2]));
}

#[tokio::test]
async fn what_a_gone_owner_held_is_claimed_by_one_alone_and_not_held() {
    let folder = folder();
    let [gone, one, other] = [(); 3].map(|()| open(folder.path()));
    gone.acquire(session(1), later()).await.unwrap();
    one.acquire(session(2), later()).await.unwrap();
    drop(gone);
    assert_eq!(held(&one).await, all([2]));
    let (first, second) = tokio::join!(abandoned(&one), abandoned(&other));
    assert_eq!(first.len() + second.len(), 1);
    one.release(session(1)).await.unwrap();
    drop(one);
    assert_eq!(abandoned(&other).await, all([2]));
}

#[tokio::test]
async fn a_claim_ends_with_its_reaper_or_after_a_minute() {
    let folder = folder();
    let clock = TestClock::default();
    let [gone, one, other] = [(); 3].map(|()| open(folder.path()).clock(clock.clone()));
    gone.acquire(session(1), later()).await.unwrap();
    drop(gone);
    assert_eq!(abandoned(&one).await, all([1]));
    clock.sleep(Duration::from_secs(59)).await;
    assert_eq!(abandoned(&one).await, all([]));
    assert_eq!(abandoned(&other).await, all([]));
    clock.sleep(Duration::from_secs(1)).await;
    assert_eq!(abandoned(&other).await, all([1]));
    drop(other);
    assert_eq!(abandoned(&one).await, all([1]));
}

#[tokio::test]
async fn a_session_is_forgotten_when_it_can_no_longer_run() {
    let folder = folder();
    let clock = TestClock::default();
    let store = open(folder.path()).clock(clock.clone());
    store.acquire(session(1), clock.now() + Duration::from_secs(60)).await.unwrap();
    store.acquire(session(2), clock.now() + Duration::from_secs(600)).await.unwrap();
    clock.sleep(Duration::from_secs(60)).await;
    assert_eq!(held(&store).await, all([2]));
    drop(store);
    let next = open(folder.path()).clock(clock);
    assert_eq!(abandoned(&next).await, all([2]));
}

#[tokio::test]
async fn a_journal_cut_at_any_byte_keeps_every_whole_line_and_goes_on() {
    let written = folder();
    let store = open(written.path());
    for number in 1..=3 {
        store.acquire(session(number), later()).await.unwrap();
    }
    store.release(session(2)).await.unwrap();
    let whole = fs::read(journal(written.path())).unwrap();
    drop(store);
    // After the header the lines are take 1, take 2, take 3, done 2.
    let expected = [all([]), all([1]), all([1, 2]), all([1, 2, 3]), all([1, 3])];
    for cut in 0..=whole.len() {
        for garbage in [&b""[..], b"\0\0\0\0", b"\n"] {
            let folder = folder();
            let torn = [&whole[..cut], garbage].concat();
            fs::write(journal(folder.path()), torn).unwrap();
            // A line end is all that the cut line lacks.
            let completed = garbage == b"\n" && whole.get(cut) == Some(&b'\n');
            let kept = if completed { cut + 1 } else { cut };
            let lines = whole[..kept].split(|byte| *byte == b'\n').count() - 1;
            let store = open(folder.path());
            assert_eq!(abandoned(&store).await, expected[lines.saturating_sub(1)], "cut at {cut}");
            store.acquire(session(9), later()).await.unwrap();
            // Another reader sees that the tail was cut off before the new line was written.
            assert_eq!(held(&open(folder.path())).await, all([9]), "cut at {cut}");
        }
    }
}

#[tokio::test]
async fn a_long_torn_tail_is_cut_off_by_a_shorter_line() {
    let folder = folder();
    drop(open(folder.path()));
    let whole = fs::read(journal(folder.path())).unwrap();
    let store = open(folder.path());
    store.acquire(session(1), later()).await.unwrap();
    let taken = fs::read(journal(folder.path())).unwrap();
    fs::write(journal(folder.path()), [&taken[..], &[b'x'; 100]].concat()).unwrap();
    store.release(session(1)).await.unwrap();
    let after = fs::read(journal(folder.path())).unwrap();
    assert!(after.starts_with(&whole) && after.ends_with(b"\n") && !after.contains(&b'x'));
}

#[tokio::test]
async fn a_line_that_is_damaged_in_the_middle_costs_only_itself() {
    let written = folder();
    let store = open(written.path());
    for number in 1..=3 {
        store.acquire(session(number), later()).await.unwrap();
    }
    let whole = fs::read(journal(written.path())).unwrap();
    drop(store);
    let ends: Vec<usize> = (0..whole.len()).filter(|at| whole[*at] == b'\n').collect();
    // Everything in the line of session 2, its end included, which merges it with the next one.
    for at in ends[1] + 1..=ends[2] {
        let folder = folder();
        let mut damaged = whole.clone();
        damaged[at] ^= 0x11;
        fs::write(journal(folder.path()), damaged).unwrap();
        let found = abandoned(&open(folder.path())).await;
        let lost = if at == ends[2] { all([1]) } else { all([1, 3]) };
        assert_eq!(found, lost, "byte {at}");
    }
}

#[tokio::test]
async fn what_lives_is_noted_again_after_the_journal_was_lost_and_nobody_is_sure_before() {
    let folder = folder();
    let clock = TestClock::default();
    let [one, other] = [(); 2].map(|()| open(folder.path()).clock(clock.clone()));
    one.acquire(session(1), later()).await.unwrap();
    other.acquire(session(2), later()).await.unwrap();
    fs::remove_file(journal(folder.path())).unwrap();
    assert!(one.held().await.unwrap_err().is_unavailable());
    one.renew(session(1)).await.unwrap();
    clock.sleep(Duration::from_secs(89)).await;
    other.renew(session(2)).await.unwrap();
    assert!(one.held().await.unwrap_err().is_unavailable());
    assert_eq!(abandoned(&one).await, all([]));
    clock.sleep(Duration::from_secs(1)).await;
    assert_eq!(held(&one).await, all([1, 2]));
}

#[tokio::test]
async fn a_lost_folder_is_made_again_with_the_next_beat() {
    let parent = folder();
    let folder = parent.path().join("state");
    let store = open(&folder);
    store.acquire(session(1), later()).await.unwrap();
    fs::remove_dir_all(&folder).unwrap();
    store.renew(session(1)).await.unwrap();
    let other = open(&folder);
    assert_eq!(abandoned(&other).await, all([]));
    drop(store);
    assert_eq!(abandoned(&other).await, all([1]));
}

#[tokio::test]
async fn a_session_that_was_given_back_is_not_noted_again() {
    let folder = folder();
    let store = open(folder.path());
    store.acquire(session(1), later()).await.unwrap();
    store.release(session(1)).await.unwrap();
    store.renew(session(1)).await.unwrap();
    store.renew(session(2)).await.unwrap();
    assert_eq!(held(&store).await, all([]));
}

#[tokio::test]
async fn the_journal_stays_short_and_keeps_what_runs() {
    let folder = folder();
    let store = open(folder.path());
    store.acquire(session(1), later()).await.unwrap();
    let rounds = (0..3_000).map(|_| async {
        store.acquire(session(2), later()).await.unwrap();
        store.release(session(2)).await.unwrap();
    });
    futures_util::future::join_all(rounds).await;
    store.acquire(session(3), later()).await.unwrap();
    let size = fs::metadata(journal(folder.path())).unwrap().len();
    assert!(size < 150_000, "{size} bytes");
    assert_eq!(held(&open(folder.path())).await, all([1, 3]));
}

#[tokio::test]
async fn an_owner_leaves_a_file_only_where_it_leaves_a_session() {
    let folder = folder();
    let owners = || {
        let names = fs::read_dir(folder.path()).unwrap().map(|entry| entry.unwrap().file_name());
        names.filter(|name| name.to_string_lossy().starts_with("owner-")).count()
    };
    let store = open(folder.path());
    store.acquire(session(1), later()).await.unwrap();
    store.release(session(1)).await.unwrap();
    drop(store);
    assert_eq!(owners(), 0);
    let store = open(folder.path());
    store.acquire(session(1), later()).await.unwrap();
    drop(store);
    assert_eq!(owners(), 1);
    let next = open(folder.path());
    assert_eq!(abandoned(&next).await, all([1]));
    next.release(session(1)).await.unwrap();
    drop(next);
    // The next one clears away what the dead one left.
    drop(open(folder.path()));
    assert_eq!(owners(), 0);
}

#[tokio::test]
async fn a_folder_of_something_else_is_refused_and_left_as_it_is() {
    // The second is rightly checksummed, as a later version may begin its journal.
    for content in ["somebody else's file\n".repeat(20), "6733e0e9 journal 2\n".to_owned()] {
        let folder = folder();
        fs::write(journal(folder.path()), &content).unwrap();
        let error = FileStore::open(folder.path()).unwrap_err();
        assert!(error.is_unavailable());
        assert_eq!(fs::read_to_string(journal(folder.path())).unwrap(), content);
    }
}

#[tokio::test]
async fn the_journal_holds_ids_and_times_only() {
    let folder = folder();
    let store = open(folder.path()).clock(TestClock::default());
    let until = SystemTime::UNIX_EPOCH + Duration::from_secs(4_102_444_800);
    store.acquire(session(1), until).await.unwrap();
    store.release(session(1)).await.unwrap();
    let text = fs::read_to_string(journal(folder.path())).unwrap();
    let generation = text.split(' ').nth(3).unwrap();
    let owner = text.lines().nth(1).unwrap().split(' ').nth(3).unwrap();
    let shape: Vec<String> = text
        .lines()
        .map(|line| line[9..].replace(generation, "GENERATION").replace(owner, "OWNER"))
        .collect();
    insta::assert_snapshot!(shape.join("\n"), @r"
    journal 1 GENERATION 0
    take 00000000000000000000000000000001 OWNER 4102444800000
    done 00000000000000000000000000000001
    ");
}

#[derive(Clone, Debug)]
enum Step {
    Take(usize, u128),
    Renew(usize, u128),
    GiveBack(usize, u128),
    Reap(usize),
    Look(usize),
    /// The owner ends and another one takes its place.
    Die(usize),
    /// A write that stopped after some bytes of a line.
    Torn(Vec<u8>),
    Wait(u64),
}

const OWNERS: usize = 3;

fn step() -> impl Strategy<Value = Step> {
    let owner = 0..OWNERS;
    let one = 1..6_u128;
    prop_oneof![
        4 => (owner.clone(), one.clone()).prop_map(|(owner, session)| Step::Take(owner, session)),
        2 => (owner.clone(), one.clone()).prop_map(|(owner, session)| Step::Renew(owner, session)),
        2 => (owner.clone(), one).prop_map(|(owner, session)| Step::GiveBack(owner, session)),
        2 => owner.clone().prop_map(Step::Reap),
        2 => owner.clone().prop_map(Step::Look),
        2 => owner.prop_map(Step::Die),
        1 => proptest::collection::vec(any::<u8>().prop_filter("no line end", |byte| *byte != b'\n'), 1..40)
            .prop_map(Step::Torn),
        1 => (1..90_u64).prop_map(Step::Wait),
    ]
}

/// What a store should know, told without files: who noted a session last, whether by a claim, and who believes to hold it.
#[derive(Default)]
struct Model {
    noted: BTreeMap<u128, (u64, Option<u64>)>,
    own: BTreeSet<(u64, u128)>,
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, ..ProptestConfig::default() })]

    #[test]
    fn any_sequence_of_operations_deaths_and_torn_writes_agrees_with_the_model(
        steps in proptest::collection::vec(step(), 1..40),
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        runtime.block_on(agrees(steps))?;
    }
}

async fn agrees(steps: Vec<Step>) -> Result<(), TestCaseError> {
    let folder = folder();
    let clock = TestClock::default();
    let open = || open(folder.path()).clock(clock.clone());
    let until = clock.now() + Duration::from_secs(100_000);
    // An owner is its place and how often somebody else has taken it.
    let mut stores: Vec<(u64, FileStore)> = (0..OWNERS as u64).map(|place| (place, open())).collect();
    let mut model = Model::default();
    let mut now = 0;
    for step in steps {
        match step {
            Step::Take(place, number) => {
                let (owner, store) = &stores[place];
                store.acquire(session(number), until).await.unwrap();
                model.noted.insert(number, (*owner, None));
                model.own.insert((*owner, number));
            }
            Step::Renew(place, number) => {
                let (owner, store) = &stores[place];
                store.renew(session(number)).await.unwrap();
                if model.own.contains(&(*owner, number)) {
                    model.noted.insert(number, (*owner, None));
                }
            }
            Step::GiveBack(place, number) => {
                let (owner, store) = &stores[place];
                store.release(session(number)).await.unwrap();
                model.noted.remove(&number);
                model.own.remove(&(*owner, number));
            }
            Step::Reap(place) => {
                let (owner, store) = &stores[place];
                let living: BTreeSet<u64> = stores.iter().map(|(owner, _)| *owner).collect();
                let free = |(owner, claimed): &(u64, Option<u64>)| {
                    !living.contains(owner) || claimed.is_some_and(|at| now - at >= 60)
                };
                let expected: BTreeSet<Uuid> = model
                    .noted
                    .iter()
                    .filter(|(_, note)| free(note))
                    .map(|(number, _)| session(*number))
                    .collect();
                prop_assert_eq!(&abandoned(store).await, &expected);
                for (number, note) in &mut model.noted {
                    if expected.contains(&session(*number)) {
                        *note = (*owner, Some(now));
                    }
                }
            }
            Step::Look(place) => {
                let living: BTreeSet<u64> = stores.iter().map(|(owner, _)| *owner).collect();
                let is_held =
                    |(owner, claimed): &(u64, Option<u64>)| claimed.is_none() && living.contains(owner);
                let expected: BTreeSet<Uuid> = model
                    .noted
                    .iter()
                    .filter(|(_, note)| is_held(note))
                    .map(|(number, _)| session(*number))
                    .collect();
                prop_assert_eq!(held(&stores[place].1).await, expected);
            }
            Step::Die(place) => {
                let (owner, store) = stores.remove(place);
                drop(store);
                stores.insert(place, (owner + OWNERS as u64, open()));
            }
            Step::Torn(bytes) => {
                use std::io::Write as _;
                let mut file = fs::OpenOptions::new().append(true).open(journal(folder.path())).unwrap();
                file.write_all(&bytes).unwrap();
            }
            Step::Wait(seconds) => {
                clock.sleep(Duration::from_secs(seconds)).await;
                now += seconds;
            }
        }
    }
    Ok(())
}
