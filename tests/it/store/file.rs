//! The file store: several owners, dead owners, accounts, clocks, permissions, interrupted writes, lost files.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use liveavatar_api::session::LiteSession;
use liveavatar_api::store::{Account, FileStore, Store as _, StoreError};
use liveavatar_api::{Client, Clock as _, Credential, Uuid};
use liveavatar_mock::Server;
use liveavatar_tests::{TestClock, client};
use proptest::prelude::*;

use super::{account, later, mine, session};

const DAY: Duration = Duration::from_secs(24 * 60 * 60);

fn folder() -> tempfile::TempDir {
    tempfile::tempdir().unwrap()
}

fn open(folder: &Path) -> FileStore {
    FileStore::open(folder).unwrap()
}

/// The files of an account's sessions, by name.
fn records(folder: &Path, account: Account) -> Vec<PathBuf> {
    let Ok(files) = fs::read_dir(folder.join(account.to_string())) else { return Vec::new() };
    let mut files: Vec<PathBuf> = files.map(|file| file.unwrap().path()).collect();
    files.sort();
    files
}

fn owner_files(folder: &Path) -> Vec<PathBuf> {
    let files = fs::read_dir(folder).unwrap().map(|file| file.unwrap().path());
    files.filter(|file| file.file_name().unwrap().to_string_lossy().starts_with("owner-")).collect()
}

fn all(sessions: impl IntoIterator<Item = u128>) -> BTreeSet<Uuid> {
    sessions.into_iter().map(session).collect()
}

async fn held(store: &FileStore) -> BTreeSet<Uuid> {
    store.held(mine()).await.unwrap()
}

async fn abandoned(store: &FileStore) -> BTreeSet<Uuid> {
    store.claim_abandoned(mine()).await.unwrap().into_iter().collect()
}

#[tokio::test]
async fn a_session_is_held_until_it_is_released() {
    let folder = folder();
    let [one, other] = [open(folder.path()), open(folder.path())];
    one.acquire(mine(), session(1), later()).await.unwrap();
    other.acquire(mine(), session(2), later()).await.unwrap();
    for store in [&one, &other] {
        assert_eq!(held(store).await, all([1, 2]));
        assert_eq!(abandoned(store).await, all([]));
    }
    one.release(mine(), session(1)).await.unwrap();
    one.release(mine(), session(1)).await.unwrap();
    assert_eq!(held(&other).await, all([2]));
}

#[tokio::test]
async fn a_dead_owners_session_is_not_held_and_claimed_by_only_one() {
    let folder = folder();
    let [dead, one, other] = [(); 3].map(|()| open(folder.path()));
    dead.acquire(mine(), session(1), later()).await.unwrap();
    one.acquire(mine(), session(2), later()).await.unwrap();
    drop(dead);
    assert_eq!(held(&one).await, all([2]));
    let (first, second) = tokio::join!(abandoned(&one), abandoned(&other));
    assert_eq!(first.len() + second.len(), 1);
    one.release(mine(), session(1)).await.unwrap();
    drop(one);
    assert_eq!(abandoned(&other).await, all([2]));
}

#[tokio::test]
async fn a_claim_ends_with_its_owner_or_after_a_minute() {
    let folder = folder();
    let clock = TestClock::default();
    let [dead, one, other] = [(); 3].map(|()| open(folder.path()).clock(clock.clone()));
    dead.acquire(mine(), session(1), later()).await.unwrap();
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
async fn an_abandoned_session_is_forgotten_one_day_after_its_latest_end() {
    let folder = folder();
    let clock = TestClock::default();
    let store = open(folder.path()).clock(clock.clone());
    store.acquire(mine(), session(1), clock.now() + Duration::from_secs(60)).await.unwrap();
    store.acquire(mine(), session(2), clock.now() + Duration::from_secs(600)).await.unwrap();
    clock.sleep(DAY + Duration::from_secs(60)).await;
    // A living owner decides by itself when its session has ended.
    assert_eq!(held(&store).await, all([1, 2]));
    drop(store);
    let next = open(folder.path()).clock(clock);
    assert_eq!(abandoned(&next).await, all([2]));
    assert_eq!(records(folder.path(), mine()).len(), 1);
}

#[tokio::test]
async fn a_clock_that_is_an_hour_ahead_neither_takes_nor_hides_the_sessions_of_others() {
    let folder = folder();
    let (clock, ahead) = (TestClock::default(), TestClock::default());
    ahead.sleep(Duration::from_secs(3600)).await;
    let owner = open(folder.path()).clock(clock.clone());
    let reaper = open(folder.path()).clock(ahead);
    owner.acquire(mine(), session(1), clock.now() + Duration::from_secs(1200)).await.unwrap();
    assert_eq!(held(&reaper).await, all([1]));
    assert_eq!(abandoned(&reaper).await, all([]));
    drop(owner);
    assert_eq!(abandoned(&reaper).await, all([1]));
}

#[tokio::test(start_paused = true)]
async fn recorded_times_are_those_of_the_wall_clock_at_that_moment() {
    let folder = folder();
    let store = open(folder.path());
    // Two hours of Tokio's clock, and none of the wall clock, as after a suspend or a restored snapshot.
    tokio::time::sleep(Duration::from_secs(7200)).await;
    let before = SystemTime::now();
    store.acquire(mine(), session(1), later()).await.unwrap();
    let text = fs::read_to_string(&records(folder.path(), mine())[0]).unwrap();
    let recorded = text.lines().find_map(|line| line.strip_prefix("recorded: ")).unwrap();
    let recorded = SystemTime::from(chrono::DateTime::parse_from_rfc3339(recorded).unwrap());
    let apart = recorded.duration_since(before).unwrap_or_else(|early| early.duration());
    assert!(apart < Duration::from_secs(60), "{text}");
}

#[tokio::test]
async fn two_accounts_on_one_folder_never_see_each_others_sessions() {
    let folder = folder();
    let service = Server::start().await.unwrap();
    let client = client(&service);
    let [dead, living] = [(); 2].map(|()| open(folder.path()));
    dead.acquire(mine(), session(1), later()).await.unwrap();
    living.acquire(mine(), session(2), later()).await.unwrap();
    drop(dead);
    assert_eq!(living.held(account("theirs")).await.unwrap(), all([]));
    // The service would tell this client, whose key is of another account, that the session is gone.
    let reaped = client.reap().store(open(folder.path())).only_abandoned().run().await;
    assert!(reaped.is_complete() && reaped.sessions().is_empty(), "{reaped:?}");
    assert_eq!(abandoned(&living).await, all([1]));
}

#[tokio::test]
async fn a_client_records_its_sessions_under_the_account_of_its_key() {
    let folder = folder();
    let service = Server::start().await.unwrap();
    let store = Arc::new(open(folder.path()));
    let key = Credential::api_key(service.api_key()).unwrap();
    let client = Client::builder().base_url(service.url()).credential(key).session_store(Arc::clone(&store));
    let client = client.build().unwrap();
    let configuration = LiteSession::builder().avatar_id(session(7)).build().unwrap();
    let opened = client.open(&configuration).await.unwrap();
    let ours = client.account().unwrap();
    assert_eq!(store.held(ours).await.unwrap(), BTreeSet::from([opened.id()]));
    assert_eq!(store.held(mine()).await.unwrap(), all([]));
    opened.stop().await.unwrap();
    assert_eq!(store.held(ours).await.unwrap(), all([]));
}

#[tokio::test]
async fn a_client_without_an_api_key_does_not_use_the_store() {
    let folder = folder();
    let service = Server::start().await.unwrap();
    let token = client(&service).with_credential(Credential::session_token("token").unwrap());
    assert!(token.account().is_none());
    let reaped = token.reap().store(open(folder.path())).only_abandoned().run().await;
    insta::assert_snapshot!(
        cause(reaped.store_error().unwrap()),
        @"a session store needs a client with an API key, which tells accounts apart"
    );
}

#[test]
fn a_fingerprint_differs_by_key_and_does_not_show_it() {
    let shown = format!("{} {:?}", account("canary"), account("canary"));
    assert!(account("canary") != account("canary2") && !shown.contains("canary"), "{shown}");
    insta::assert_snapshot!(account("canary"), @"dc0b073c92aca645");
}

#[cfg(unix)]
#[tokio::test]
async fn only_the_user_can_read_the_folder_and_its_files() {
    use std::os::unix::fs::PermissionsExt as _;

    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    let parent = folder();
    let new = parent.path().join("new");
    let wide = parent.path().join("wide");
    fs::create_dir(&wide).unwrap();
    fs::set_permissions(&wide, fs::Permissions::from_mode(0o755)).unwrap();
    for path in [new, wide] {
        let store = open(&path);
        store.acquire(mine(), session(1), later()).await.unwrap();
        let accounts = path.join(mine().to_string());
        let folders = [mode(&path), mode(&accounts)];
        let files = [mode(&owner_files(&path)[0]), mode(&records(&path, mine())[0])];
        assert_eq!((folders, files), ([0o700; 2], [0o600; 2]), "{}", path.display());
    }
}

#[cfg(unix)]
#[tokio::test]
async fn a_folder_that_others_control_is_an_error_that_says_what_to_do() {
    use std::os::unix::fs::PermissionsExt as _;

    let folder = folder();
    fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o777)).unwrap();
    let error = cause(&FileStore::open(folder.path()).unwrap_err());
    insta::assert_snapshot!(error.replace(folder.path().to_str().unwrap(), "FOLDER"), @"FOLDER: every user can write to the folder; use a new folder, or check its files and run `chmod 700` on it");
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
    fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o700)).unwrap();
    // Only root can give a folder away.
    if std::os::unix::fs::chown(folder.path(), Some(1), None).is_ok() {
        let error = cause(&FileStore::open(folder.path()).unwrap_err());
        insta::assert_snapshot!(error.replace(folder.path().to_str().unwrap(), "FOLDER"), @"FOLDER: the folder belongs to another user; use a new folder, for example one inside it");
    }
}

fn cause(error: &StoreError) -> String {
    std::error::Error::source(error).unwrap().to_string()
}

#[tokio::test]
async fn a_record_that_lost_its_content_counts_as_running() {
    let written = folder();
    let store = open(written.path());
    store.acquire(mine(), session(1), later()).await.unwrap();
    let file = records(written.path(), mine()).remove(0);
    let whole = fs::read(&file).unwrap();
    drop(store);
    for cut in 0..=whole.len() {
        for garbage in [&b""[..], b"\0\0\0\0", b"\n", b"\xff"] {
            let folder = folder();
            let accounts = folder.path().join(mine().to_string());
            fs::create_dir(&accounts).unwrap();
            fs::write(accounts.join(file.file_name().unwrap()), [&whole[..cut], garbage].concat()).unwrap();
            let store = open(folder.path());
            assert_eq!(abandoned(&store).await, all([1]), "cut at {cut}");
            store.release(mine(), session(1)).await.unwrap();
            assert_eq!(records(folder.path(), mine()), [] as [PathBuf; 0]);
        }
    }
}

#[tokio::test]
async fn an_interrupted_write_is_ignored_and_removed() {
    let folder = folder();
    let store = open(folder.path());
    store.acquire(mine(), session(1), later()).await.unwrap();
    let accounts = folder.path().join(mine().to_string());
    // Of a killed owner, and of this one, which is longer than its next record.
    let own = owner_files(folder.path())[0].file_name().unwrap().to_str().unwrap().replace("owner-", ".new-");
    let (killed, own) = (accounts.join(format!(".new-{}", session(7))), accounts.join(own));
    fs::write(&killed, "session: 0000").unwrap();
    fs::write(&own, [b'x'; 1000]).unwrap();
    assert_eq!(held(&store).await, all([1]));
    store.acquire(mine(), session(2), later()).await.unwrap();
    let text = fs::read_to_string(&records(folder.path(), mine())[2]).unwrap();
    assert!(text.starts_with("session: ") && !text.contains('x') && !own.exists(), "{text}");
    let next = open(folder.path());
    assert!(!killed.exists());
    assert_eq!(held(&next).await, all([1, 2]));
}

#[tokio::test]
async fn after_files_were_deleted_nothing_is_reaped_until_all_owners_could_renew() {
    let folder = folder();
    let clock = TestClock::default();
    let [one, other] = [(); 2].map(|()| open(folder.path()).clock(clock.clone()));
    one.acquire(mine(), session(1), later()).await.unwrap();
    other.acquire(mine(), session(2), later()).await.unwrap();
    for file in owner_files(folder.path()).into_iter().chain(records(folder.path(), mine())) {
        fs::remove_file(file).unwrap();
    }
    let is_unsure = async |store: &FileStore| {
        let (held, abandoned) = (store.held(mine()).await, store.claim_abandoned(mine()).await);
        held.is_err_and(|error| error.is_unavailable())
            && abandoned.is_err_and(|error| error.is_unavailable())
    };
    assert!(is_unsure(&one).await);
    one.renew(mine(), session(1)).await.unwrap();
    // The longest keep-alive interval.
    clock.sleep(Duration::from_secs(180)).await;
    other.renew(mine(), session(2)).await.unwrap();
    clock.sleep(Duration::from_secs(19)).await;
    assert!(is_unsure(&one).await && is_unsure(&open(folder.path()).clock(clock.clone())).await);
    clock.sleep(Duration::from_secs(181)).await;
    assert_eq!(held(&one).await, all([1, 2]));
    assert_eq!(abandoned(&one).await, all([]));
}

#[tokio::test]
async fn a_note_of_deleted_files_that_lost_its_content_does_not_block_reaping_forever() {
    let folder = folder();
    let store = open(folder.path());
    fs::write(folder.path().join("lost"), "").unwrap();
    assert_eq!(held(&store).await, all([]));
    assert_eq!(abandoned(&store).await, all([]));
}

#[tokio::test]
async fn a_lost_folder_is_created_again_by_the_next_renewal() {
    let parent = folder();
    let folder = parent.path().join("state");
    let clock = TestClock::default();
    let store = open(&folder).clock(clock.clone());
    store.acquire(mine(), session(1), later()).await.unwrap();
    fs::remove_dir_all(&folder).unwrap();
    store.renew(mine(), session(1)).await.unwrap();
    clock.sleep(Duration::from_secs(200)).await;
    let other = open(&folder).clock(clock);
    assert_eq!(abandoned(&other).await, all([]));
    drop(store);
    assert_eq!(abandoned(&other).await, all([1]));
}

#[tokio::test]
async fn a_renewal_does_not_restore_a_released_session() {
    let folder = folder();
    let store = open(folder.path());
    store.acquire(mine(), session(1), later()).await.unwrap();
    store.release(mine(), session(1)).await.unwrap();
    store.renew(mine(), session(1)).await.unwrap();
    store.renew(mine(), session(2)).await.unwrap();
    assert_eq!(held(&store).await, all([]));
}

#[tokio::test]
async fn the_folder_has_one_file_per_running_session_and_owner() {
    let folder = folder();
    let store = open(folder.path());
    store.acquire(mine(), session(1), later()).await.unwrap();
    let rounds = (0..3_000).map(|_| async {
        store.acquire(mine(), session(2), later()).await.unwrap();
        store.release(mine(), session(2)).await.unwrap();
    });
    futures_util::future::join_all(rounds).await;
    store.acquire(mine(), session(3), later()).await.unwrap();
    assert_eq!(records(folder.path(), mine()).len(), 2);
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 2);
    assert_eq!(held(&open(folder.path())).await, all([1, 3]));
}

#[tokio::test]
async fn the_file_of_an_owner_is_removed_at_its_end_or_by_the_next_owner() {
    let folder = folder();
    let store = open(folder.path());
    store.acquire(mine(), session(1), later()).await.unwrap();
    assert_eq!(owner_files(folder.path()).len(), 1);
    drop(store);
    assert_eq!(owner_files(folder.path()).len(), 0);
    // As a killed process leaves it: not locked.
    fs::write(folder.path().join(format!("owner-{}", session(7))), "").unwrap();
    let next = open(folder.path());
    assert_eq!(owner_files(folder.path()).len(), 1);
    assert_eq!(abandoned(&next).await, all([1]));
}

#[tokio::test]
async fn a_folder_with_foreign_data_is_an_error_and_stays_unchanged() {
    // The second is the name of an unreleased version's journal.
    for name in ["notes.txt", "sessions"] {
        let folder = folder();
        fs::write(folder.path().join(name), "foreign").unwrap();
        let error = cause(&FileStore::open(folder.path()).unwrap_err());
        assert!(error.contains(&format!("the file `{name}` does not belong to this version")), "{error}");
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
    }
}

#[tokio::test]
async fn a_record_that_cannot_be_read_is_an_error_and_is_not_dropped() {
    let folder = folder();
    let store = open(folder.path());
    store.acquire(mine(), session(1), later()).await.unwrap();
    let strange = folder.path().join(mine().to_string()).join("of-a-later-version");
    fs::write(&strange, "").unwrap();
    let errors = [
        cause(&store.held(mine()).await.unwrap_err()),
        cause(&store.claim_abandoned(mine()).await.unwrap_err()),
    ];
    for error in errors {
        let error = error.replace(folder.path().to_str().unwrap(), "FOLDER");
        insta::allow_duplicates!(
            insta::assert_snapshot!(error, @"FOLDER: the file `335024598a0513e5/of-a-later-version` does not belong to this version of the store; move it elsewhere, or use a new folder")
        );
    }
    assert!(strange.exists());
    assert_eq!(store.held(account("theirs")).await.unwrap(), all([]));
}

#[tokio::test]
async fn the_folder_contains_only_ids_and_times() {
    let folder = folder();
    let store = open(folder.path()).clock(TestClock::default());
    let until = SystemTime::UNIX_EPOCH + Duration::from_secs(4_102_444_800);
    store.acquire(mine(), session(1), until).await.unwrap();
    let file = records(folder.path(), mine()).remove(0);
    let owner = owner_files(folder.path()).remove(0);
    let owner = owner.file_name().unwrap().to_str().unwrap().trim_start_matches("owner-");
    let name = file.file_name().unwrap().to_str().unwrap();
    let text = format!("{name}\n{}", fs::read_to_string(&file).unwrap()).replace(owner, "OWNER");
    insta::assert_snapshot!(text, @r"
    00000000-0000-0000-0000-000000000001.held.OWNER
    session: 00000000-0000-0000-0000-000000000001
    account: 335024598a0513e5
    owner: OWNER
    recorded: 2026-01-01T00:00:00.000Z
    until: 2100-01-01T00:00:00.000Z
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
    /// A power failure: an unfinished file, and all contents lost or damaged.
    PowerFailure(Vec<u8>),
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
        1 => proptest::collection::vec(any::<u8>(), 0..40)
            .prop_map(StoreStep::PowerFailure),
        1 => (1..90_u64).prop_map(StoreStep::Wait),
    ]
}

/// The expected content of a store.
#[derive(Default)]
struct Model {
    /// Sessions with their owner, and the time of its claim.
    recorded: BTreeSet<(u128, u64, Option<u64>)>,
    /// The sessions that each owner acquired and did not release.
    own: BTreeSet<(u64, u128)>,
}

impl Model {
    fn held(&self, living: &BTreeSet<u64>) -> BTreeSet<Uuid> {
        let held =
            self.recorded.iter().filter(|(_, owner, claimed)| claimed.is_none() && living.contains(owner));
        held.map(|(number, _, _)| session(*number)).collect()
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, ..ProptestConfig::default() })]

    #[test]
    fn any_sequence_of_calls_deaths_and_lost_contents_matches_the_model(
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
        let living: BTreeSet<u64> = stores.iter().map(|(owner, _)| *owner).collect();
        match step {
            StoreStep::Acquire(place, number) => {
                let (owner, store) = &stores[place];
                store.acquire(mine(), session(number), until).await.unwrap();
                model.recorded.insert((number, *owner, None));
                model.own.insert((*owner, number));
            }
            StoreStep::Renew(place, number) => {
                let (owner, store) = &stores[place];
                store.renew(mine(), session(number)).await.unwrap();
                if model.own.contains(&(*owner, number)) {
                    model.recorded.insert((number, *owner, None));
                }
            }
            StoreStep::Release(place, number) => {
                let (owner, store) = &stores[place];
                store.release(mine(), session(number)).await.unwrap();
                model.own.remove(&(*owner, number));
                if !model.recorded.remove(&(number, *owner, None)) {
                    model.recorded.retain(|(recorded, _, _)| *recorded != number);
                }
            }
            StoreStep::ClaimAbandoned(place) => {
                let (owner, store) = &stores[place];
                let held = model.held(&living);
                let free: Vec<_> = model
                    .recorded
                    .iter()
                    .copied()
                    .filter(|(number, owner, claimed)| {
                        let is_claimed = claimed.is_some_and(|at| now - at < 60) && living.contains(owner);
                        !held.contains(&session(*number)) && !is_claimed
                    })
                    .collect();
                let expected: BTreeSet<Uuid> = free.iter().map(|(number, _, _)| session(*number)).collect();
                prop_assert_eq!(&abandoned(store).await, &expected);
                for record in free {
                    model.recorded.remove(&record);
                    model.recorded.insert((record.0, *owner, Some(now)));
                }
            }
            StoreStep::Held(place) => {
                prop_assert_eq!(held(&stores[place].1).await, model.held(&living));
            }
            StoreStep::Die(place) => {
                let (owner, store) = stores.remove(place);
                drop(store);
                stores.insert(place, (owner + OWNERS as u64, open()));
            }
            StoreStep::PowerFailure(bytes) => {
                for record in records(folder.path(), mine()) {
                    fs::write(&record, &bytes).unwrap();
                    fs::write(record.with_file_name(format!(".new-{}", session(7))), &bytes).unwrap();
                }
            }
            StoreStep::Wait(seconds) => {
                clock.sleep(Duration::from_secs(seconds)).await;
                now += seconds;
            }
        }
    }
    Ok(())
}
