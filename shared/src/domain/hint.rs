//! What a client asks for in `X-Rep-Hints`.
