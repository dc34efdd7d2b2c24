//! The body of a response: the inner service's, or one of ours.

use std::{
    pin::Pin,
    task::{Context, Poll},
};

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use pin_project_lite::pin_project;

pin_project! {
    /// The body of the inner service, unchanged, or a short text of ours in its place, such as that of an error.
    ///
    /// This is why the inner service's body needs no `Default`.
    #[derive(Debug)]
    pub struct ResponseBody<B> {
        #[pin]
        kind: Kind<B>,
    }
}

pin_project! {
    #[derive(Debug)]
    #[project = KindProjection]
    enum Kind<B> {
        Inner { #[pin] body: B },
        Own { text: Option<Bytes> },
    }
}

impl<B> ResponseBody<B> {
    /// Wraps a body of the inner service.
    #[must_use]
    pub const fn inner(body: B) -> Self {
        Self { kind: Kind::Inner { body } }
    }

    /// Creates a body of these bytes, which a layer sends in place of the inner service's.
    ///
    /// ```
    /// use cloakroom_tower::ResponseBody;
    /// use http_body::Body;
    ///
    /// let body = ResponseBody::<String>::own("unauthorized".into());
    /// assert_eq!(body.size_hint().exact(), Some(12));
    /// ```
    #[must_use]
    pub fn own(text: Bytes) -> Self {
        Self { kind: Kind::Own { text: Some(text).filter(|text| !text.is_empty()) } }
    }
}

impl<B> Default for ResponseBody<B> {
    /// An empty body: layers outside, such as those for timeouts and CORS, answer with one.
    fn default() -> Self {
        Self::own(Bytes::new())
    }
}

impl<B: Body<Data = Bytes>> Body for ResponseBody<B> {
    type Data = Bytes;
    type Error = B::Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
        match self.project().kind.project() {
            KindProjection::Inner { body } => body.poll_frame(cx),
            KindProjection::Own { text } => {
                Poll::Ready(text.take().map(|text| Ok(Frame::data(text))))
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        match &self.kind {
            Kind::Inner { body } => body.is_end_stream(),
            Kind::Own { text } => text.is_none(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match &self.kind {
            Kind::Inner { body } => body.size_hint(),
            Kind::Own { text } => {
                SizeHint::with_exact(text.as_ref().map_or(0, |text| text.len() as u64))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use http_body_util::{BodyExt, Empty, Full};

    use super::*;

    #[tokio::test]
    async fn it_is_as_long_as_what_is_in_it() {
        let text = Bytes::from_static(b"text");
        let inner = ResponseBody::inner(Full::new(text.clone()));
        let own = ResponseBody::<Empty<Bytes>>::own(text.clone());
        assert_eq!((inner.size_hint().exact(), own.size_hint().exact()), (Some(4), Some(4)));
        assert!(!inner.is_end_stream() && !own.is_end_stream());
        assert_eq!(inner.collect().await.unwrap().to_bytes(), text);
        assert_eq!(own.collect().await.unwrap().to_bytes(), text);

        let inner = ResponseBody::inner(Empty::<Bytes>::new());
        let own = ResponseBody::<Empty<Bytes>>::own(Bytes::new());
        assert_eq!((inner.size_hint().exact(), own.size_hint().exact()), (Some(0), Some(0)));
        assert!(inner.is_end_stream() && own.is_end_stream());
    }
}
