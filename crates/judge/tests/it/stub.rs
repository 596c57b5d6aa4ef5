//! A chat endpoint on this machine that answers as a test says.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use judge::JudgeConfig;
use serde_json::{Value, json};

/// A request as it came in.
#[derive(Debug, Clone)]
pub struct Request {
    pub line: String,
    pub authorization: Option<String>,
    pub body: Value,
    pub at: Instant,
}

impl Request {
    /// The content of the last message.
    pub fn question(&self) -> String {
        let messages = self.body["messages"].as_array().expect("messages");
        let last = messages.last().expect("a message");
        last["content"].as_str().expect("text").to_owned()
    }
}

/// What is answered, after a delay.
#[derive(Debug, Clone)]
pub struct Reply {
    pub status: u16,
    pub header: Option<&'static str>,
    pub body: String,
    pub delay: Duration,
}

/// A good answer with that text.
pub fn says(text: &str) -> Reply {
    let message = json!({ "role": "assistant", "content": text });
    let choice = json!({ "index": 0, "message": message, "finish_reason": "stop" });
    raw(200, &json!({ "choices": [choice] }).to_string())
}

pub fn raw(status: u16, body: &str) -> Reply {
    Reply {
        status,
        header: None,
        body: body.into(),
        delay: Duration::ZERO,
    }
}

impl Reply {
    pub fn with_header(mut self, header: &'static str) -> Self {
        self.header = Some(header);
        self
    }

    pub fn after(mut self, milliseconds: u64) -> Self {
        self.delay = Duration::from_millis(milliseconds);
        self
    }
}

type Script = dyn Fn(&Request, usize) -> Reply + Send + Sync;

struct Shared {
    script: Box<Script>,
    requests: Mutex<Vec<Request>>,
    under_way: AtomicUsize,
    most: AtomicUsize,
    ended: AtomicBool,
}

pub struct Stub {
    port: u16,
    shared: Arc<Shared>,
}

impl Stub {
    /// A server whose script gets each request and how many came before it.
    pub fn start(script: impl Fn(&Request, usize) -> Reply + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let port = listener.local_addr().expect("an address").port();
        let shared = Arc::new(Shared {
            script: Box::new(script),
            requests: Mutex::default(),
            under_way: AtomicUsize::new(0),
            most: AtomicUsize::new(0),
            ended: AtomicBool::new(false),
        });
        let serving = Arc::clone(&shared);
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                if serving.ended.load(Ordering::SeqCst) {
                    return;
                }
                let shared = Arc::clone(&serving);
                thread::spawn(move || shared.serve(stream));
            }
        });
        Self { port, shared }
    }

    pub fn url(&self) -> String {
        format!("http://127.0.0.1:{}/v1", self.port)
    }

    /// A configuration for it, with short waits.
    pub fn config(&self) -> JudgeConfig {
        JudgeConfig {
            timeout_s: 10.0,
            retries: 2,
            first_delay_s: 0.01,
            max_delay_s: 0.02,
            ..JudgeConfig::new(self.url(), "stub-model")
        }
    }

    pub fn requests(&self) -> Vec<Request> {
        self.shared.requests.lock().expect("requests").clone()
    }

    pub fn count(&self) -> usize {
        self.requests().len()
    }

    /// The most requests that were under way at the same time.
    pub fn most_at_once(&self) -> usize {
        self.shared.most.load(Ordering::SeqCst)
    }
}

impl Drop for Stub {
    fn drop(&mut self) {
        self.shared.ended.store(true, Ordering::SeqCst);
        // Wakes the listener, so that the port is free again.
        let _ = TcpStream::connect(("127.0.0.1", self.port));
    }
}

impl Shared {
    fn serve(&self, stream: TcpStream) {
        let Some(request) = read(&stream) else {
            return;
        };
        let now = self.under_way.fetch_add(1, Ordering::SeqCst) + 1;
        self.most.fetch_max(now, Ordering::SeqCst);
        let before = {
            let mut requests = self.requests.lock().expect("requests");
            requests.push(request.clone());
            requests.len() - 1
        };
        let reply = (self.script)(&request, before);
        thread::sleep(reply.delay);
        self.under_way.fetch_sub(1, Ordering::SeqCst);
        write(stream, &reply);
    }
}

fn read(stream: &TcpStream) -> Option<Request> {
    let mut reader = BufReader::new(stream);
    let mut line = String::new();
    reader.read_line(&mut line).ok()?;
    let (mut length, mut authorization) = (0, None);
    loop {
        let mut header = String::new();
        reader.read_line(&mut header).ok()?;
        let Some((name, value)) = header.trim().split_once(':') else {
            break;
        };
        match name.to_ascii_lowercase().as_str() {
            "content-length" => length = value.trim().parse().ok()?,
            "authorization" => authorization = Some(value.trim().to_owned()),
            _ => {}
        }
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body).ok()?;
    Some(Request {
        line: line.trim().into(),
        authorization,
        body: serde_json::from_slice(&body).ok()?,
        at: Instant::now(),
    })
}

fn write(mut stream: TcpStream, reply: &Reply) {
    let header = reply.header.map(|header| format!("{header}\r\n"));
    let header = header.unwrap_or_default();
    let (status, body) = (reply.status, &reply.body);
    let length = body.len();
    // The client may have gone away: that is what some tests are about.
    let _ = write!(
        stream,
        "HTTP/1.1 {status} Status\r\n{header}Content-Length: {length}\r\nConnection: close\r\n\r\n{body}"
    );
}
