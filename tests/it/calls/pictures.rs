//! The check of a picture before its upload.

use liveavatar_mock::{MockResponse, Server, example_response};
use liveavatar_tests::{client, jpeg, png};

#[tokio::test]
async fn a_picture_of_another_shape_or_size_is_not_uploaded() {
    let server = Server::start().await.unwrap();
    let client = client(&server);
    let pictures = [
        ("square", png(1080, 1080)),
        ("4:3", jpeg(1440, 1080)),
        ("16:9, too small", png(1280, 720)),
        ("9:16, too small", jpeg(720, 1280)),
        ("another shape and too small", png(640, 480)),
        ("almost 16:9", png(1920, 1081)),
        ("empty", png(0, 0)),
        ("a cut PNG", png(1920, 1080)[..20].to_vec()),
        ("a cut JPEG", jpeg(1920, 1080)[..8].to_vec()),
        ("only the first bytes", b"\xff\xd8\xff".to_vec()),
    ];
    let mut errors = Vec::new();
    for (name, picture) in pictures {
        let error = client.create_image_avatar().file(picture.clone()).send().await.unwrap_err();
        assert!(
            error.is_invalid_request() && error.fields().iter().all(|field| field.path == "file"),
            "{name}"
        );
        errors.push(format!("{name}: {error}"));
        let by_name = client.operation("create_image_avatar").unwrap().file_part("file", picture);
        assert_eq!(by_name.send().await.map(|it| it.status).unwrap_err().to_string(), error.to_string());
    }
    assert_eq!(server.requests().len(), 0);
    insta::assert_snapshot!(errors.join("\n"));
}

#[tokio::test]
async fn a_picture_of_the_documented_shape_and_size_is_uploaded() {
    let server = Server::start().await.unwrap();
    let client = client(&server);
    let exif = {
        let mut bytes = jpeg(1080, 1920);
        // A block of metadata before the size, as cameras write it.
        bytes.splice(2..2, [b"\xff\xe1\x01\x02".as_slice(), &[7; 256]].concat());
        bytes
    };
    let pictures = [png(1920, 1080), png(1080, 1920), jpeg(3840, 2160), jpeg(2160, 3840), exif];
    for picture in pictures {
        let created = MockResponse::json(200, example_response("create_image_avatar").unwrap());
        server.mock_response("create_image_avatar", created);
        client.create_image_avatar().file(picture).send().await.unwrap();
    }
    assert_eq!(server.requests().len(), 5);
}
