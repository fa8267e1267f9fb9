//! Handlers that return their answer instead of using a responder: blocking and asynchronous (S-199, S-218).

use std::fmt::Display;
use std::future::Future;
use std::sync::Arc;

use bytes::Bytes;

use super::asset::{AssetHandler, AssetRequest, AssetResponder};
use super::service::{ServiceRequest, ServiceResponder};
use super::{futures, Error, Service};

impl Service {
    /// A service whose handler returns the answer, and may take its time: it runs on the session's handler pool, up to 32
    /// calls at once. An error is shown to the viewer as text.
    ///
    /// ```
    /// use telelink::session::Service;
    ///
    /// let reboot = Service::blocking("/reboot", "std_srvs/Trigger", |request| {
    ///     if request.payload.is_empty() {
    ///         return Err("say when");
    ///     }
    ///     Ok(r#"{"success": true}"#)
    /// });
    /// ```
    pub fn blocking<T: Into<Bytes>, E: Display>(
        name: impl Into<String>,
        type_name: impl Into<String>,
        handler: impl Fn(ServiceRequest) -> Result<T, E> + Send + Sync + 'static,
    ) -> Self {
        Self::new(name, type_name, move |request, responder| answer_call(&responder, handler(request)))
    }

    /// A service whose handler is an async function. An error is shown to the viewer as text.
    ///
    /// The futures run on threads of the library, `tl-async`, two for all sessions of the process: one that blocks keeps
    /// other futures waiting. tokio's timers work in them, and its sockets if the program enables that feature. A future
    /// that panics leaves its call unanswered, which the viewer is told. Those that have not ended with their session
    /// are dropped.
    ///
    /// ```
    /// use std::time::Duration;
    /// use telelink::session::Service;
    ///
    /// let blink = Service::future("/blink", "std_srvs/Trigger", |request| async move {
    ///     tokio::time::sleep(Duration::from_millis(100)).await;
    ///     Ok::<_, std::io::Error>(request.payload)
    /// });
    /// ```
    pub fn future<T, E, F>(
        name: impl Into<String>,
        type_name: impl Into<String>,
        handler: impl Fn(ServiceRequest) -> F + Send + Sync + 'static,
    ) -> Self
    where
        T: Into<Bytes>,
        E: Display,
        F: Future<Output = Result<T, E>> + Send + 'static,
    {
        Self::new(name, type_name, move |request, responder| {
            let answer = handler(request);
            futures::spawn(async move { answer_call(&responder, answer.await) });
        })
    }
}

/// An asset handler that returns the asset, and may take its time: it runs on the session's handler pool, up to 32 fetches
/// at once. An error is shown to the viewer as text. For files there is [`AssetFolder`](super::AssetFolder).
///
/// ```
/// use telelink::session::{blocking_assets, SessionOptions};
///
/// let handler = blocking_assets(|request| match request.uri.as_str() {
///     "camera://front/last.png" => Ok(vec![0x89, b'P', b'N', b'G']),
///     other => Err(format!("no such asset: {other}")),
/// });
/// let options = SessionOptions { asset_handler: Some(handler), ..SessionOptions::default() };
/// ```
pub fn blocking_assets<T: Into<Bytes>, E: Display>(
    handler: impl Fn(AssetRequest) -> Result<T, E> + Send + Sync + 'static,
) -> AssetHandler {
    Arc::new(move |request, responder| answer_fetch(&responder, handler(request)))
}

/// An asset handler that is an async function; see [`Service::future`].
///
/// ```
/// use telelink::session::future_assets;
///
/// let handler = future_assets(|request| async move {
///     tokio::task::yield_now().await;
///     Err::<Vec<u8>, _>(format!("no such asset: {}", request.uri))
/// });
/// ```
pub fn future_assets<T, E, F>(handler: impl Fn(AssetRequest) -> F + Send + Sync + 'static) -> AssetHandler
where
    T: Into<Bytes>,
    E: Display,
    F: Future<Output = Result<T, E>> + Send + 'static,
{
    Arc::new(move |request, responder: AssetResponder| {
        let answer = handler(request);
        futures::spawn(async move { answer_fetch(&responder, answer.await) });
    })
}

fn answer_call(responder: &ServiceResponder, answer: Result<impl Into<Bytes>, impl Display>) {
    sole(match answer {
        Ok(payload) => responder.respond(payload),
        Err(error) => responder.fail(error.to_string()),
    });
}

fn answer_fetch(responder: &AssetResponder, answer: Result<impl Into<Bytes>, impl Display>) {
    sole(match answer {
        Ok(data) => responder.respond(data),
        Err(error) => responder.fail(error.to_string()),
    });
}

/// Nobody else has had the responder, so its answer is the first.
fn sole(result: Result<(), Error>) {
    if let Err(error) = result {
        tracing::error!(%error, "a request was answered before its handler ended");
    }
}
