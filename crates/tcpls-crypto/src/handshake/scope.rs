//! Which handshake the current call into rustls belongs to.
//!
//! rustls makes hash contexts, encrypters and decrypters inside its entry points. The objects of the
//! wrapped suites ask here whose they are: while a [`Scope`] lives, those made on this thread belong
//! to its exchange.

use std::cell::RefCell;
use std::marker::PhantomData;
use std::sync::Arc;

use super::exchange::Exchange;

/// Makes an exchange the current one of this thread until it is dropped, also by a panic.
#[must_use]
pub(super) struct Scope {
    previous: Option<Arc<Exchange>>,
    /// A scope must end on the thread it began on.
    not_send: PhantomData<*const ()>,
}

impl Scope {
    pub(super) fn enter(exchange: &Arc<Exchange>) -> Self {
        let previous = CURRENT.replace(Some(Arc::clone(exchange)));
        Self {
            previous,
            not_send: PhantomData,
        }
    }
}

impl Drop for Scope {
    fn drop(&mut self) {
        CURRENT.set(self.previous.take());
    }
}

/// The exchange of the innermost scope on this thread; `None` for rustls used by itself.
pub(super) fn current() -> Option<Arc<Exchange>> {
    CURRENT.with_borrow(Clone::clone)
}

thread_local! {
    static CURRENT: RefCell<Option<Arc<Exchange>>> = const { RefCell::new(None) };
}

#[cfg(test)]
mod tests {
    use std::panic::{AssertUnwindSafe, catch_unwind};

    use super::*;

    fn exchange() -> Arc<Exchange> {
        Arc::new(Exchange::testing())
    }

    #[test]
    fn scopes_nest_and_end_with_their_guard() {
        let (outer, inner) = (exchange(), exchange());
        assert!(current().is_none());
        let outer_scope = Scope::enter(&outer);
        {
            let _inner_scope = Scope::enter(&inner);
            assert!(Arc::ptr_eq(&current().unwrap(), &inner));
        }
        assert!(Arc::ptr_eq(&current().unwrap(), &outer));
        drop(outer_scope);
        assert!(current().is_none());
    }

    #[test]
    fn a_panic_ends_the_scope() {
        let caught = catch_unwind(AssertUnwindSafe(|| {
            let _scope = Scope::enter(&exchange());
            panic!("inside a scope");
        }));
        assert!(caught.is_err());
        assert!(current().is_none());
    }

    #[test]
    fn scopes_are_per_thread() {
        let _scope = Scope::enter(&exchange());
        std::thread::spawn(|| assert!(current().is_none()))
            .join()
            .unwrap();
    }
}
