//! The bodies of forms.

use liveavatar_api::{Client, Credential};
use liveavatar_mock::Server;

const KEY: &str = "canary-api-key";

#[tokio::test]
async fn a_form_keeps_bytes_and_escapes_the_names_of_its_parts() {
    let server = Server::builder().api_key(KEY).start().await.unwrap();
    let client = Client::builder().base_url(server.url()).credential(Credential::api_key(KEY).unwrap());
    let call = client.build().unwrap().operation("create_image_avatar").unwrap().unchecked();
    let call = call
        .text_part("plain", "\"ä\"\r\n--\r\n")
        .text_part("a\"b\r\nc: d", "")
        .file_part("file", vec![0, b'\r', 0xff]);
    let _ = call.send().await;

    let request = server.take_requests().pop().unwrap();
    let media = request.headers.iter().find(|(name, _)| name == "content-type").unwrap();
    let boundary = media.1.strip_prefix("multipart/form-data; boundary=").unwrap();
    assert!(boundary.len() >= 32, "{boundary}");
    let body =
        request.body.escape_ascii().to_string().replace(boundary, "[boundary]").replace("\\r\\n", "\n");
    insta::assert_snapshot!(body, @r#"
    --[boundary]
    Content-Disposition: form-data; name=\"plain\"

    \"\xc3\xa4\"
    --

    --[boundary]
    Content-Disposition: form-data; name=\"a%22b%0D%0Ac: d\"


    --[boundary]
    Content-Disposition: form-data; name=\"file\"; filename=\"file\"
    Content-Type: application/octet-stream

    \x00\r\xff
    --[boundary]--
    "#);
}
