//! The address of the LITE socket.

use liveavatar_api::realtime::lite::Socket;

#[tokio::test]
async fn an_invalid_address_is_an_invalid_request() {
    let addresses = [
        "",
        "canary",
        "https://canary.example/",
        "wss://",
        "ws://[",
        "ws://canary.example/socket",
        "ws://10.0.0.1/canary",
    ];
    let mut errors = Vec::new();
    for address in addresses {
        let error = Socket::connect(&address.into()).await.unwrap_err();
        assert!(error.is_invalid_request());
        errors.push(error.to_string());
    }
    insta::assert_snapshot!(errors.join("\n"));
}
