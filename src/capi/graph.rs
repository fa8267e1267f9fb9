//! `telelink_connection_graph`.

use parking_lot::Mutex;

use super::guard::{guard, guard_or};
use super::handle;
use super::session::telelink_session;
use super::status::{telelink_status, Failure};
use super::view::{self, telelink_str};
use crate::session::ConnectionGraph;

/// Which nodes of the robot publish and subscribe to which topics and provide which services. The ids of nodes are the
/// program's own, for example names of ROS nodes. Publishing it copies it, so it can be kept, changed and published
/// again.
pub struct telelink_connection_graph {
    graph: Mutex<ConnectionGraph>,
}

/// Which of the three lists of a graph.
type Set = fn(&mut ConnectionGraph, String, Vec<String>);

/// # Safety
/// `graph` must be NULL or live; the views must be readable.
unsafe fn set(
    graph: *const telelink_connection_graph,
    (name, argument): (telelink_str, &'static str),
    (ids, count, ids_argument): (*const telelink_str, usize, &'static str),
    set: Set,
) -> Result<(), Failure> {
    // SAFETY: the caller's promise.
    let (graph, name, ids) = unsafe {
        (handle::borrow(graph, "graph")?, view::text(name, argument)?, view::texts(ids, count, ids_argument)?)
    };
    set(&mut graph.graph.lock(), name.to_owned(), ids);
    Ok(())
}

/// # Safety
/// `graph` must be NULL or live; the view must be readable.
unsafe fn remove(
    graph: *const telelink_connection_graph,
    (name, argument): (telelink_str, &'static str),
    remove: fn(&mut ConnectionGraph, &str) -> bool,
) -> Result<(), Failure> {
    // SAFETY: the caller's promise.
    let (graph, name) = unsafe { (handle::borrow(graph, "graph")?, view::text(name, argument)?) };
    if remove(&mut graph.graph.lock(), name) {
        return Ok(());
    }
    Err(Failure::new(telelink_status::NotFound, format!("the graph has no {argument} {name} there")))
}

/// Makes a graph without topics and services.
///
/// @param out  Receives the graph; free it with telelink_connection_graph_free(). Written only on success.
/// @return TELELINK_STATUS_OK             made
///         TELELINK_STATUS_NULL_ARGUMENT  `out` is NULL
///         TELELINK_STATUS_CLOSED         the process was forked from one that uses telelink
/// @threading Any thread, never blocks, allowed inside callbacks.
/// @since 0.1
#[no_mangle]
pub unsafe extern "C" fn telelink_connection_graph_create(out: *mut *mut telelink_connection_graph) -> telelink_status {
    guard(|| {
        let out = handle::out_pointer(out, "out")?;
        // SAFETY: not NULL; the header asks for a writable pointer.
        unsafe { handle::give(out, telelink_connection_graph { graph: Mutex::default() }) };
        Ok(())
    })
}

/// Frees a graph. What was published of it stays published.
///
/// @param graph  Consumed. NULL does nothing.
/// @threading Any thread, but nobody may use this handle meanwhile. Never blocks. Allowed inside callbacks.
/// @since 0.1
#[no_mangle]
pub unsafe extern "C" fn telelink_connection_graph_free(graph: *mut telelink_connection_graph) {
    // SAFETY: the header asks for NULL or a live handle that is not used again.
    guard_or((), || drop(unsafe { handle::take(graph) }));
}

/// Sets who publishes a topic, in place of what was set for it.
///
/// @param graph          Borrowed.
/// @param topic          Borrowed.
/// @param publisher_ids  Borrowed. Ids of the nodes; equal ones count once. With none, the topic is shown without
///                       publishers.
/// @param count          Number of ids.
/// @return TELELINK_STATUS_OK             set
///         TELELINK_STATUS_NULL_ARGUMENT  `graph` is NULL, or a view has no data
///         TELELINK_STATUS_INVALID_UTF8   a text is not UTF-8; the message names it
/// @threading Any thread, never blocks, allowed inside callbacks.
/// @since 0.1
#[no_mangle]
pub unsafe extern "C" fn telelink_connection_graph_set_published_topic(
    graph: *mut telelink_connection_graph,
    topic: telelink_str,
    publisher_ids: *const telelink_str,
    count: usize,
) -> telelink_status {
    // SAFETY: the header asks for a live graph or NULL, and readable views.
    guard(|| unsafe {
        set(graph, (topic, "topic"), (publisher_ids, count, "publisher_ids"), |graph, topic, ids| {
            graph.set_published_topic(topic, ids);
        })
    })
}

/// Sets who subscribes to a topic, in place of what was set for it.
///
/// @param graph           Borrowed.
/// @param topic           Borrowed.
/// @param subscriber_ids  Borrowed. Ids of the nodes; equal ones count once. With none, the topic is shown without
///                        subscribers.
/// @param count           Number of ids.
/// @return As telelink_connection_graph_set_published_topic().
/// @threading Any thread, never blocks, allowed inside callbacks.
/// @since 0.1
#[no_mangle]
pub unsafe extern "C" fn telelink_connection_graph_set_subscribed_topic(
    graph: *mut telelink_connection_graph,
    topic: telelink_str,
    subscriber_ids: *const telelink_str,
    count: usize,
) -> telelink_status {
    // SAFETY: the header asks for a live graph or NULL, and readable views.
    guard(|| unsafe {
        set(graph, (topic, "topic"), (subscriber_ids, count, "subscriber_ids"), |graph, topic, ids| {
            graph.set_subscribed_topic(topic, ids);
        })
    })
}

/// Sets who provides a service, in place of what was set for it.
///
/// @param graph         Borrowed.
/// @param service       Borrowed. Name of the service.
/// @param provider_ids  Borrowed. Ids of the nodes; equal ones count once. With none, the service is shown without
///                      providers.
/// @param count         Number of ids.
/// @return As telelink_connection_graph_set_published_topic().
/// @threading Any thread, never blocks, allowed inside callbacks.
/// @since 0.1
#[no_mangle]
pub unsafe extern "C" fn telelink_connection_graph_set_advertised_service(
    graph: *mut telelink_connection_graph,
    service: telelink_str,
    provider_ids: *const telelink_str,
    count: usize,
) -> telelink_status {
    // SAFETY: the header asks for a live graph or NULL, and readable views.
    guard(|| unsafe {
        set(graph, (service, "service"), (provider_ids, count, "provider_ids"), |graph, service, ids| {
            graph.set_advertised_service(service, ids);
        })
    })
}

/// Takes a topic off the published ones.
///
/// @param graph  Borrowed.
/// @param topic  Borrowed.
/// @return TELELINK_STATUS_OK             taken off
///         TELELINK_STATUS_NOT_FOUND      it was not there
///         TELELINK_STATUS_NULL_ARGUMENT  `graph` is NULL, or `topic` has no data
///         TELELINK_STATUS_INVALID_UTF8   `topic` is not UTF-8
/// @threading Any thread, never blocks, allowed inside callbacks.
/// @since 0.1
#[no_mangle]
pub unsafe extern "C" fn telelink_connection_graph_remove_published_topic(
    graph: *mut telelink_connection_graph,
    topic: telelink_str,
) -> telelink_status {
    // SAFETY: the header asks for a live graph or NULL, and a readable view.
    guard(|| unsafe { remove(graph, (topic, "topic"), ConnectionGraph::remove_published_topic) })
}

/// Takes a topic off the subscribed ones.
///
/// @param graph  Borrowed.
/// @param topic  Borrowed.
/// @return As telelink_connection_graph_remove_published_topic().
/// @threading Any thread, never blocks, allowed inside callbacks.
/// @since 0.1
#[no_mangle]
pub unsafe extern "C" fn telelink_connection_graph_remove_subscribed_topic(
    graph: *mut telelink_connection_graph,
    topic: telelink_str,
) -> telelink_status {
    // SAFETY: the header asks for a live graph or NULL, and a readable view.
    guard(|| unsafe { remove(graph, (topic, "topic"), ConnectionGraph::remove_subscribed_topic) })
}

/// Takes a service out.
///
/// @param graph    Borrowed.
/// @param service  Borrowed. Name of the service.
/// @return As telelink_connection_graph_remove_published_topic().
/// @threading Any thread, never blocks, allowed inside callbacks.
/// @since 0.1
#[no_mangle]
pub unsafe extern "C" fn telelink_connection_graph_remove_advertised_service(
    graph: *mut telelink_connection_graph,
    service: telelink_str,
) -> telelink_status {
    // SAFETY: the header asks for a live graph or NULL, and a readable view.
    guard(|| unsafe { remove(graph, (service, "service"), ConnectionGraph::remove_advertised_service) })
}

/// Takes everything out.
///
/// @param graph  Borrowed.
/// @return TELELINK_STATUS_OK             empty now
///         TELELINK_STATUS_NULL_ARGUMENT  `graph` is NULL
/// @threading Any thread, never blocks, allowed inside callbacks.
/// @since 0.1
#[no_mangle]
pub unsafe extern "C" fn telelink_connection_graph_clear(graph: *mut telelink_connection_graph) -> telelink_status {
    guard(|| {
        // SAFETY: the header asks for a live graph or NULL.
        unsafe { handle::borrow(graph.cast_const(), "graph") }?.graph.lock().clear();
        Ok(())
    })
}

/// Replaces the session's connection graph. Viewers that follow it get what has changed; it is kept, across rooms too,
/// for those that follow it later. Works before there is a room. Calls of one thread reach viewers in their order.
///
/// @param session  Borrowed.
/// @param graph    Borrowed and copied. At most 262,144 names and ids together, and 8,000,000 bytes as JSON.
/// @return TELELINK_STATUS_OK             published
///         TELELINK_STATUS_NULL_ARGUMENT  `session` or `graph` is NULL
///         TELELINK_STATUS_NOT_SUPPORTED  the capabilities do not have TELELINK_CAPABILITY_CONNECTION_GRAPH
///         TELELINK_STATUS_INVALID_VALUE  the graph is too large; the message says by what
///         TELELINK_STATUS_TIMEOUT        the session did not answer within 5 s
///         TELELINK_STATUS_CLOSED         the session is closed
/// @threading Any thread, blocks up to 5 s, allowed inside callbacks.
/// @since 0.1
#[no_mangle]
pub unsafe extern "C" fn telelink_session_publish_connection_graph(
    session: *const telelink_session,
    graph: *const telelink_connection_graph,
) -> telelink_status {
    guard(|| {
        // SAFETY: the header asks for a live session and a live graph, or NULL.
        let (session, graph) = unsafe { (handle::borrow(session, "session")?, handle::borrow(graph, "graph")?) };
        // Not under the graph's lock: this waits.
        let graph = graph.graph.lock().clone();
        Ok(session.session.publish_connection_graph(graph)?)
    })
}
