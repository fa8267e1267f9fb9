//! Assets (P-108 to P-111, S-216 to S-219).

use bytes::Bytes;

use crate::protocol::{texts, FetchAssetResponse, StatusLevel, ToViewer};
use crate::session::asset::{AssetAnswer, MAX_ASSET};
use crate::session::AssetRequest;

use super::requests::{frame_or, Kind, Work};
use super::{ClientId, Core, Now, SessionCapability};

/// Which request an answer belongs to.
#[derive(Debug, Clone, Copy)]
pub(crate) struct AssetReply {
    request_id: u32,
}

impl AssetReply {
    /// The answer as a frame. Runs where the answer is given.
    pub(crate) fn encode(self, answer: AssetAnswer) -> Bytes {
        let result = match answer {
            AssetAnswer::Data(data) if data.len() > MAX_ASSET => {
                Err(format!("The asset has {} bytes, more than the {MAX_ASSET} that can be sent", data.len()))
            }
            AssetAnswer::Data(data) => Ok(data),
            AssetAnswer::Failure(text) => Err(text),
            AssetAnswer::Dropped => Err(texts::ASSET_HANDLER_DROPPED.to_owned()),
        };
        frame_or(&self.response(result), |text| self.response(Err(text)))
    }

    pub(super) fn timed_out(self) -> Bytes {
        self.encode(AssetAnswer::Failure(texts::ASSET_TIMED_OUT.to_owned()))
    }

    fn response(self, result: Result<Bytes, String>) -> ToViewer {
        ToViewer::FetchAssetResponse(FetchAssetResponse { request_id: self.request_id, result })
    }
}

impl Core {
    pub(super) fn fetch_asset(&mut self, id: ClientId, request_id: u32, uri: String, now: Now) {
        let handler = self.config.asset_handler.clone().filter(|_| self.enabled(SessionCapability::Assets));
        let Some(handler) = handler else {
            return self.reply_status(id, StatusLevel::Error, texts::NO_ASSETS);
        };
        let Some(registration) = self.clients.get(&id) else { return };
        let reply = AssetReply { request_id };
        match registration.slots.assets.take() {
            Some(slot) => {
                let request = AssetRequest { client: (*registration.client).clone(), uri };
                let work = (Kind::Asset(reply), Work::Asset { handler, request, reply });
                self.start_request(id, slot, work, self.config.request_timeout, now);
            }
            None => self.send(id, &reply.response(Err(texts::TOO_MANY_ASSET_REQUESTS.to_owned()))),
        }
    }
}
