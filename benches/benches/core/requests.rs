//! A request and its answer, each of 1 KiB, on a stream of their own.

use criterion::Criterion;
use tcpls_core::SessionConfig;
use tcpls_core::wire::Role;

use crate::talk::{pair, read};

const LENGTH: usize = 1024;

pub(crate) fn one_at_a_time(criterion: &mut Criterion) {
    criterion.bench_function("request and answer of 1 KiB", |bencher| {
        let mut pair = pair(&SessionConfig::new(), 1);
        let text = [7; LENGTH];
        bencher.iter(|| {
            let stream = pair.client.session.open_bi().unwrap();
            for role in [Role::Client, Role::Server] {
                let session = &mut pair.host(role).session;
                assert_eq!(session.send(stream).write(&text), Ok(LENGTH));
                session.send(stream).finish().unwrap();
                pair.drive();
                if role == Role::Client {
                    assert_eq!(pair.server.session.accept_bi(), Some(stream));
                }
                assert_eq!(read(&mut pair, role.peer(), stream), LENGTH);
            }
            pair.client.take_events();
            pair.server.take_events();
        });
    });
}
