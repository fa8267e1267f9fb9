//! What the application hands to a session: its destructors are callbacks too (design.md decision 6).

use std::sync::Arc;

use crate::threads::on_callback_thread;

use super::handlers::HandlerPool;
use super::{
    AssetRequest, AssetResponder, GetParametersRequest, ParameterHandler, ParameterPublisher, ParameterResponder,
    SessionOptions, SetParametersRequest,
};

/// Something of the application's. Wherever the session lets go of it, its destructor runs as a callback: on this thread
/// when that runs one anyway, else on a handler thread, never on the owner task, which it may want an answer of.
pub(crate) struct Kept<T: Send + 'static> {
    value: Option<T>,
    pool: Arc<HandlerPool>,
}

impl<T: Send + 'static> Kept<T> {
    pub(crate) fn new(value: T, pool: &Arc<HandlerPool>) -> Self {
        Self { value: Some(value), pool: pool.clone() }
    }

    pub(crate) fn get(&self) -> &T {
        self.value.as_ref().expect("taken only by drop")
    }
}

impl<T: Send + 'static> Drop for Kept<T> {
    fn drop(&mut self) {
        let Some(value) = self.value.take() else { return };
        let job = Box::new(move || drop(value));
        if on_callback_thread() {
            self.pool.destroy_here(job);
        } else {
            self.pool.destroy(job);
        }
    }
}

/// A parameter handler that is let go of as [`Kept`].
struct KeptParameters(Kept<Arc<dyn ParameterHandler>>);

impl ParameterHandler for KeptParameters {
    fn get(&self, request: GetParametersRequest, responder: ParameterResponder) {
        self.0.get().get(request, responder);
    }
    fn set(&self, request: SetParametersRequest, responder: ParameterResponder) {
        self.0.get().set(request, responder);
    }
    fn attach(&self, publisher: std::sync::Weak<dyn ParameterPublisher>) {
        self.0.get().attach(publisher);
    }
}

impl SessionOptions {
    /// All that these options hold of the application, apart from the listeners: those belong to their threads.
    pub(super) fn kept(mut self, pool: &Arc<HandlerPool>) -> Self {
        self.services = self.services.into_iter().map(|service| service.kept(pool)).collect();
        self.asset_handler = self.asset_handler.map(|handler| {
            let handler = Kept::new(handler, pool);
            Arc::new(move |request: AssetRequest, responder: AssetResponder| handler.get()(request, responder)) as _
        });
        self.parameter_handler = self
            .parameter_handler
            .map(|handler| Arc::new(KeptParameters(Kept::new(handler, pool))) as Arc<dyn ParameterHandler>);
        self.authorizer = self.authorizer.map(|authorizer| {
            let authorizer = Kept::new(authorizer, pool);
            Arc::new(move |client: &_, action, subject: &str| authorizer.get()(client, action, subject)) as _
        });
        self.channel_filter = self.channel_filter.map(|filter| {
            let filter = Kept::new(filter, pool);
            Arc::new(move |channel: &_| filter.get()(channel)) as _
        });
        self.qos_classifier = self.qos_classifier.map(|classify| {
            let classify = Kept::new(classify, pool);
            Arc::new(move |channel: &_| classify.get()(channel)) as _
        });
        self.suppress_video = self.suppress_video.map(|suppress| {
            let suppress = Kept::new(suppress, pool);
            Arc::new(move |channel: &_| suppress.get()(channel)) as _
        });
        self
    }
}
