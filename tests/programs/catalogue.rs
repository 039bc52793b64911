//! Copies the avatars and voices of the service into a database.

use futures_util::TryStreamExt as _;
use liveavatar_api::Client;
use liveavatar_mock::Server;
use rusqlite::{Connection, params};

async fn sync(client: &Client, database: &mut Connection) -> Result<(), Box<dyn std::error::Error>> {
    database.execute_batch(
        "CREATE TABLE IF NOT EXISTS avatar (id TEXT PRIMARY KEY, name TEXT NOT NULL, status TEXT, voice TEXT);
         CREATE TABLE IF NOT EXISTS voice (id TEXT PRIMARY KEY, name TEXT NOT NULL, language TEXT, gender TEXT);",
    )?;
    let transaction = database.transaction()?;
    transaction.execute("DELETE FROM avatar", [])?;
    let mut avatars = client.list_public_avatars().page_size(100).items();
    // The stream fetches a page only when it is needed.
    while let Some(avatar) = avatars.try_next().await? {
        transaction.execute(
            "INSERT OR REPLACE INTO avatar VALUES (?1, ?2, ?3, ?4)",
            params![
                avatar.id.to_string(),
                avatar.name,
                avatar.status.map(|status| status.to_string()), // also a value that the crate does not know
                avatar.default_voice.map(|voice| voice.id)
            ],
        )?;
    }
    transaction.execute("DELETE FROM voice", [])?;
    for voice in client.list_voices().page_size(100).all().await? {
        transaction.execute(
            "INSERT OR REPLACE INTO voice VALUES (?1, ?2, ?3, ?4)",
            params![voice.id.to_string(), voice.name, voice.language, voice.gender],
        )?;
    }
    transaction.commit()?;
    Ok(())
}

#[tokio::test]
async fn the_catalogue_is_copied() -> Result<(), Box<dyn std::error::Error>> {
    // More entries than fit on one page.
    let server = Server::builder().public_entries(250).start().await?;
    let client = server.client()?;
    let mut database = Connection::open_in_memory()?;
    // The second copy replaces the first.
    for _ in 0..2 {
        sync(&client, &mut database).await?;
        for table in ["avatar", "voice"] {
            let rows: i64 =
                database.query_row(&format!("SELECT count(*) FROM {table}"), [], |row| row.get(0))?;
            assert!(rows >= 250, "{rows} rows in {table}");
        }
    }
    Ok(())
}
