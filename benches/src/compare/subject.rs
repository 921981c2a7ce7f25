//! A transport with all workloads, of whatever type it is.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use tcpls_benches::peers::{Visitor, visit_all};
use tcpls_benches::transport::Peer;
use tcpls_benches::{Error, Identity};

use crate::arguments::Effort;
use crate::figure::Figures;
use crate::workloads::Workload;

/// `None`: the transport cannot do that.
pub(crate) type Outcome = Result<Option<Figures>, Error>;

/// A transport that can be measured.
pub(crate) trait Subject: Send + Sync {
    fn name(&self) -> &'static str;

    /// Measures once.
    fn measure(
        self: Arc<Self>,
        workload: Workload,
        effort: Effort,
        identity: Arc<Identity>,
    ) -> Pin<Box<dyn Future<Output = Outcome> + Send>>;
}

impl<P: Peer> Subject for P {
    fn name(&self) -> &'static str {
        Peer::name(self)
    }

    fn measure(
        self: Arc<Self>,
        workload: Workload,
        effort: Effort,
        identity: Arc<Identity>,
    ) -> Pin<Box<dyn Future<Output = Outcome> + Send>> {
        Box::pin(async move { workload.run(&*self, effort, &identity).await })
    }
}

/// All transports in the order of the tables.
pub(crate) fn all() -> Vec<Arc<dyn Subject>> {
    #[derive(Default)]
    struct Collection(Vec<Arc<dyn Subject>>);
    impl Visitor for Collection {
        fn visit<P: Peer>(&mut self, peer: P) {
            self.0.push(Arc::new(peer));
        }
    }
    let mut collection = Collection::default();
    visit_all(&mut collection);
    collection.0
}
