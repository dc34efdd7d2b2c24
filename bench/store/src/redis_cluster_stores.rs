//! The store on a Redis Cluster, and the bare client of one.

use std::{future::ready, sync::Arc};

use cloakroom::redis::{RedisOptions, RedisStore};
use cloakroom_bench::{
    commands::{of_all, of_redis},
    cpu,
};
use cloakroom_test_support::RedisCluster;
use redis::cluster::ClusterClient;

use crate::{
    backend::{Answer, Backend},
    case::{Case, Place},
    cloakroom_store::{self, PATIENCE},
    redis_stores::{BARE, bare, declared, sid},
};

/// Three primaries, and their processes.
pub(crate) struct OnRedisCluster(Arc<RedisCluster>, Vec<u32>);

impl Backend for OnRedisCluster {
    const NAME: &str = "Redis Cluster";

    fn start() -> Self {
        let mut cluster = RedisCluster::start_with(0).expect("redis-server is installed");
        let nodes = 0..cluster.nodes();
        let nodes: Vec<u32> =
            nodes.map(|number| cluster.node(number).id().expect("it runs")).collect();
        nodes.iter().for_each(|id| cpu::pin(*id, cpu::OTHERS));
        Self(Arc::new(cluster), nodes)
    }

    async fn cases(&self, size: &str, text: &str) -> (Vec<Case>, Vec<Answer>) {
        let Self(cluster, nodes) = self;
        let counted = Arc::clone(cluster);
        let table = format!("{}, {size}", Self::NAME);
        let place = Place::new(table, nodes.iter().copied(), BARE, move || {
            let ask = |number| counted.ask(number, &["INFO", "commandstats"]);
            let answers = (0..counted.nodes()).map(|number| ask(number).expect("Redis answers"));
            ready(of_all(answers.map(|answer| of_redis(&answer))))
        });
        let nodes = (0..cluster.nodes()).map(|number| format!("redis://{}", cluster.addr(number)));
        let client = ClusterClient::new(nodes).expect("they are URLs");
        // Without a limit to the time of an answer, which is the default in a cluster.
        let redis = client.get_async_connection().await.expect("the cluster answers");

        let (mut cases, bare_answer) = bare(&place, &redis, text).await;
        let options = RedisOptions::default().with_deadline(PATIENCE);
        let store = RedisStore::open_with(&cluster.url(), options).expect("it is a URL");
        let (ours, our_answer) =
            cloakroom_store::cases(&place, store, text, sid, declared(text)).await;
        cases.extend(ours);
        (cases, vec![bare_answer, our_answer])
    }
}
