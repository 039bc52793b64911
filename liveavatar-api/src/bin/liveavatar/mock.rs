//! A LiveAvatar service on a port of this machine.

use clap::Args;
use liveavatar_api::mock::{EventStyle, Server};
use serde_json::json;

use crate::connect::{Interrupt, Service};
use crate::output::{Failure, Output};

#[derive(Args)]
pub(crate) struct Mock {
    /// The port on 127.0.0.1; 0 takes a free one
    #[arg(long, default_value_t = 0)]
    port: u16,
}

impl Mock {
    /// Serves until Ctrl-C.
    pub(crate) async fn run(self, service: &Service, output: Output) -> Result<(), Failure> {
        let mut interrupt = Interrupt::new()?;
        let mut builder = Server::builder().port(self.port).sockets(EventStyle::default());
        // A key that is set is the one to use here, and is not said.
        let own = service.has_key();
        if own {
            builder = builder.api_key(service.key()?.expose());
        }
        let server = builder.start().await.map_err(|error| {
            let message = format!("port {} cannot be opened: {error}", self.port);
            Failure::usage(message, "take another one, or 0 for one that is free")
        })?;
        let key = if own { "the one that you set" } else { server.api_key() };
        let people =
            format!("{} is a LiveAvatar service; its API key is {key}. Ctrl-C ends it.", server.url());
        output.told(json!({"url": server.url(), "api_key": key}), &people);
        interrupt.wait().await;
        server.shutdown().await;
        Ok(())
    }
}
