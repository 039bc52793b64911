//! The file store: interrupted writes, several owners, dead owners, lost files.

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
async fn a_session_is_held_until_it_is_released() {
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
async fn a_dead_owners_session_is_not_held_and_claimed_by_only_one() {
    let folder = folder();
    let [dead, one, other] = [(); 3].map(|()| open(folder.path()));
    dead.acquire(session(1), later()).await.unwrap();
    one.acquire(session(2), later()).await.unwrap();
    drop(dead);
    assert_eq!(held(&one).await, all([2]));
    let (first, second) = tokio::join!(abandoned(&one), abandoned(&other));
    assert_eq!(first.len() + second.len(), 1);
    one.release(session(1)).await.unwrap();
    drop(one);
    assert_eq!(abandoned(&other).await, all([2]));
}

#[tokio::test]
async fn a_claim_ends_with_its_owner_or_after_a_minute() {
    let folder = folder();
    let clock = TestClock::default();
    let [dead, one, other] = [(); 3].map(|()| open(folder.path()).clock(clock.clone()));
    dead.acquire(session(1), later()).await.unwrap();
    drop(dead);
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
async fn a_session_is_forgotten_after_its_latest_end() {
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
async fn a_journal_cut_at_any_byte_keeps_all_complete_lines_and_stays_usable() {
    let written = folder();
    let store = open(written.path());
    for number in 1..=3 {
        store.acquire(session(number), later()).await.unwrap();
    }
    store.release(session(2)).await.unwrap();
    let whole = fs::read(journal(written.path())).unwrap();
    drop(store);
    // The lines after the header are: take 1, take 2, take 3, done 2.
    let expected = [all([]), all([1]), all([1, 2]), all([1, 2, 3]), all([1, 3])];
    for cut in 0..=whole.len() {
        for garbage in [&b""[..], b"\0\0\0\0", b"\n"] {
            let folder = folder();
            let damaged = [&whole[..cut], garbage].concat();
            fs::write(journal(folder.path()), damaged).unwrap();
            // The cut line lacked only its line end.
            let completed = garbage == b"\n" && whole.get(cut) == Some(&b'\n');
            let kept = if completed { cut + 1 } else { cut };
            let lines = whole[..kept].split(|byte| *byte == b'\n').count() - 1;
            let store = open(folder.path());
            assert_eq!(abandoned(&store).await, expected[lines.saturating_sub(1)], "cut at {cut}");
            store.acquire(session(9), later()).await.unwrap();
            // Another owner can read the new line, because the interrupted one was truncated first.
            assert_eq!(held(&open(folder.path())).await, all([9]), "cut at {cut}");
        }
    }
}

#[tokio::test]
async fn a_long_interrupted_line_is_truncated_before_a_shorter_one_is_written() {
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
async fn a_damaged_line_loses_only_its_own_entry() {
    let written = folder();
    let store = open(written.path());
    for number in 1..=3 {
        store.acquire(session(number), later()).await.unwrap();
    }
    let whole = fs::read(journal(written.path())).unwrap();
    drop(store);
    let ends: Vec<usize> = (0..whole.len()).filter(|at| whole[*at] == b'\n').collect();
    // Damages each byte of the line of session 2. Without its line end, it merges with the next line.
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
async fn after_the_journal_was_lost_held_fails_until_all_owners_could_renew() {
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
async fn a_lost_folder_is_created_again_by_the_next_renewal() {
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
async fn a_renewal_does_not_restore_a_released_session() {
    let folder = folder();
    let store = open(folder.path());
    store.acquire(session(1), later()).await.unwrap();
    store.release(session(1)).await.unwrap();
    store.renew(session(1)).await.unwrap();
    store.renew(session(2)).await.unwrap();
    assert_eq!(held(&store).await, all([]));
}

#[tokio::test]
async fn the_journal_stays_short_and_keeps_running_sessions() {
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
async fn an_owner_leaves_a_file_only_if_it_leaves_a_session() {
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
    // The next owner removes the file of the dead one.
    drop(open(folder.path()));
    assert_eq!(owners(), 0);
}

#[tokio::test]
async fn a_folder_with_foreign_data_is_an_error_and_stays_unchanged() {
    // The second has a correct checksum, as the header of a later version would.
    for content in ["a foreign file\n".repeat(20), "6733e0e9 journal 2\n".to_owned()] {
        let folder = folder();
        fs::write(journal(folder.path()), &content).unwrap();
        let error = FileStore::open(folder.path()).unwrap_err();
        assert!(error.is_unavailable());
        assert_eq!(fs::read_to_string(journal(folder.path())).unwrap(), content);
    }
}

#[tokio::test]
async fn the_journal_contains_only_ids_and_times() {
    let folder = folder();
    let store = open(folder.path()).clock(TestClock::default());
    let until = SystemTime::UNIX_EPOCH + Duration::from_secs(4_102_444_800);
    store.acquire(session(1), until).await.unwrap();
    store.release(session(1)).await.unwrap();
    let text = fs::read_to_string(journal(folder.path())).unwrap();
    let generation = text.split(' ').nth(3).unwrap();
    let owner = text.lines().nth(1).unwrap().split(' ').nth(3).unwrap();
    let lines: Vec<String> = text
        .lines()
        .map(|line| line[9..].replace(generation, "GENERATION").replace(owner, "OWNER"))
        .collect();
    insta::assert_snapshot!(lines.join("\n"), @r"
    journal 1 GENERATION 0
    take 00000000000000000000000000000001 OWNER 4102444800000
    done 00000000000000000000000000000001
    ");
}

#[derive(Clone, Debug)]
enum StoreStep {
    Acquire(usize, u128),
    Renew(usize, u128),
    Release(usize, u128),
    ClaimAbandoned(usize),
    Held(usize),
    /// The owner dies, and a new one takes its place.
    Die(usize),
    /// A write that was interrupted within a line.
    InterruptedWrite(Vec<u8>),
    Wait(u64),
}

const OWNERS: usize = 3;

fn step() -> impl Strategy<Value = StoreStep> {
    let owner = 0..OWNERS;
    let one = 1..6_u128;
    prop_oneof![
        4 => (owner.clone(), one.clone()).prop_map(|(owner, session)| StoreStep::Acquire(owner, session)),
        2 => (owner.clone(), one.clone()).prop_map(|(owner, session)| StoreStep::Renew(owner, session)),
        2 => (owner.clone(), one).prop_map(|(owner, session)| StoreStep::Release(owner, session)),
        2 => owner.clone().prop_map(StoreStep::ClaimAbandoned),
        2 => owner.clone().prop_map(StoreStep::Held),
        2 => owner.prop_map(StoreStep::Die),
        1 => proptest::collection::vec(any::<u8>().prop_filter("no line end", |byte| *byte != b'\n'), 1..40)
            .prop_map(StoreStep::InterruptedWrite),
        1 => (1..90_u64).prop_map(StoreStep::Wait),
    ]
}

/// The expected content of a store.
#[derive(Default)]
struct Model {
    /// The owner of each session, and the time of its claim.
    recorded: BTreeMap<u128, (u64, Option<u64>)>,
    /// The sessions that each owner acquired and did not release.
    own: BTreeSet<(u64, u128)>,
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, ..ProptestConfig::default() })]

    #[test]
    fn any_sequence_of_calls_deaths_and_interrupted_writes_matches_the_model(
        steps in proptest::collection::vec(step(), 1..40),
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        runtime.block_on(check_against_model(steps))?;
    }
}

async fn check_against_model(steps: Vec<StoreStep>) -> Result<(), TestCaseError> {
    let folder = folder();
    let clock = TestClock::default();
    let open = || open(folder.path()).clock(clock.clone());
    let until = clock.now() + Duration::from_secs(100_000);
    // When an owner dies, its successor has the same place and a new id.
    let mut stores: Vec<(u64, FileStore)> = (0..OWNERS as u64).map(|place| (place, open())).collect();
    let mut model = Model::default();
    let mut now = 0;
    for step in steps {
        match step {
            StoreStep::Acquire(place, number) => {
                let (owner, store) = &stores[place];
                store.acquire(session(number), until).await.unwrap();
                model.recorded.insert(number, (*owner, None));
                model.own.insert((*owner, number));
            }
            StoreStep::Renew(place, number) => {
                let (owner, store) = &stores[place];
                store.renew(session(number)).await.unwrap();
                if model.own.contains(&(*owner, number)) {
                    model.recorded.insert(number, (*owner, None));
                }
            }
            StoreStep::Release(place, number) => {
                let (owner, store) = &stores[place];
                store.release(session(number)).await.unwrap();
                model.recorded.remove(&number);
                model.own.remove(&(*owner, number));
            }
            StoreStep::ClaimAbandoned(place) => {
                let (owner, store) = &stores[place];
                let living: BTreeSet<u64> = stores.iter().map(|(owner, _)| *owner).collect();
                let free = |(owner, claimed): &(u64, Option<u64>)| {
                    !living.contains(owner) || claimed.is_some_and(|at| now - at >= 60)
                };
                let expected: BTreeSet<Uuid> = model
                    .recorded
                    .iter()
                    .filter(|(_, entry)| free(entry))
                    .map(|(number, _)| session(*number))
                    .collect();
                prop_assert_eq!(&abandoned(store).await, &expected);
                for (number, entry) in &mut model.recorded {
                    if expected.contains(&session(*number)) {
                        *entry = (*owner, Some(now));
                    }
                }
            }
            StoreStep::Held(place) => {
                let living: BTreeSet<u64> = stores.iter().map(|(owner, _)| *owner).collect();
                let is_held =
                    |(owner, claimed): &(u64, Option<u64>)| claimed.is_none() && living.contains(owner);
                let expected: BTreeSet<Uuid> = model
                    .recorded
                    .iter()
                    .filter(|(_, entry)| is_held(entry))
                    .map(|(number, _)| session(*number))
                    .collect();
                prop_assert_eq!(held(&stores[place].1).await, expected);
            }
            StoreStep::Die(place) => {
                let (owner, store) = stores.remove(place);
                drop(store);
                stores.insert(place, (owner + OWNERS as u64, open()));
            }
            StoreStep::InterruptedWrite(bytes) => {
                use std::io::Write as _;
                let mut file = fs::OpenOptions::new().append(true).open(journal(folder.path())).unwrap();
                file.write_all(&bytes).unwrap();
            }
            StoreStep::Wait(seconds) => {
                clock.sleep(Duration::from_secs(seconds)).await;
                now += seconds;
            }
        }
    }
    Ok(())
}
