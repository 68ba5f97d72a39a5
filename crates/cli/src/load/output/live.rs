//! The screen of a run: drawn twice a second on a terminal, and put back as it was whatever happens.
//!
//! It reads keys and draws; what it shows is decided in `view` from what `state` was told. Its owner
//! calls it between rows, so a slow terminal cannot slow the load.

use std::io::{self, IsTerminal, Stderr};
use std::sync::Once;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use bulkhead_load::{Latencies, Row};
use ratatui::Terminal;
use ratatui::backend::CrosstermBackend;
use ratatui::crossterm::event::{self, Event, KeyCode, KeyEvent, KeyEventKind, KeyModifiers};
use ratatui::crossterm::terminal::{
    EnterAlternateScreen, LeaveAlternateScreen, disable_raw_mode, enable_raw_mode,
};
use ratatui::crossterm::{cursor, execute};

mod state;
mod view;

pub(crate) use state::{LivePlan, LiveState};

/// The time between two drawings.
const DRAW_EVERY: Duration = Duration::from_millis(500);

/// Whether the screen is ours, so that it has to be put back.
static TAKEN: AtomicBool = AtomicBool::new(false);
static HOOK: Once = Once::new();

/// A screen that is ours until this is dropped.
pub(crate) struct Live {
    terminal: Terminal<CrosstermBackend<Stderr>>,
    state: LiveState,
    /// Time of the run at the last drawing.
    drawn: Option<Duration>,
}

impl Live {
    /// Whether there is a terminal to draw on that can be drawn on, and one to read keys from.
    pub(crate) fn is_possible() -> bool {
        let dumb = std::env::var_os("TERM").is_none_or(|term| term.is_empty() || term == "dumb");
        !dumb && io::stderr().is_terminal() && io::stdin().is_terminal()
    }

    /// Takes the screen.
    ///
    /// # Errors
    /// If the terminal refuses.
    pub(crate) fn open(plan: LivePlan) -> io::Result<Self> {
        HOOK.call_once(|| {
            let usual = std::panic::take_hook();
            std::panic::set_hook(Box::new(move |panic| {
                restore();
                usual(panic);
            }));
        });
        TAKEN.store(true, Ordering::Release);
        let opened = Self::take_screen(plan);
        if opened.is_err() {
            restore();
        }
        opened
    }

    fn take_screen(plan: LivePlan) -> io::Result<Self> {
        enable_raw_mode()?;
        execute!(io::stderr(), EnterAlternateScreen, cursor::Hide)?;
        let mut terminal = Terminal::new(CrosstermBackend::new(io::stderr()))?;
        terminal.clear()?;
        Ok(Self { terminal, state: LiveState::new(plan), drawn: None })
    }

    /// A second of the run is complete.
    pub(crate) fn on_row(&mut self, row: &Row, latencies: &Latencies) {
        self.state.on_row(row, latencies);
        self.drawn = None;
    }

    /// Draws if it is time to, `elapsed` after the start of the run, and reads the keys. Never waits.
    /// Whether the run is to end early.
    ///
    /// # Errors
    /// If the terminal has gone.
    pub(crate) fn tick(&mut self, elapsed: Duration) -> io::Result<bool> {
        if !TAKEN.load(Ordering::Acquire) {
            // A thread has panicked: its message stands on the screen and must stay.
            return Ok(false);
        }
        let mut end = false;
        while event::poll(Duration::ZERO)? {
            match event::read()? {
                Event::Key(key) => end |= ends(&key),
                Event::Resize(..) => self.drawn = None,
                _ => {}
            }
        }
        if end {
            self.state.on_end();
            self.drawn = None;
        }
        if self.drawn.is_none_or(|drawn| elapsed.saturating_sub(drawn) >= DRAW_EVERY) {
            self.state.on_tick(elapsed);
            let state = &self.state;
            self.terminal.draw(|frame| view::view(state, frame))?;
            self.drawn = Some(elapsed);
        }
        Ok(end)
    }
}

impl Drop for Live {
    fn drop(&mut self) {
        restore();
    }
}

/// `q` and Ctrl-C: in raw mode the latter is a key and no signal.
fn ends(key: &KeyEvent) -> bool {
    key.kind != KeyEventKind::Release
        && match key.code {
            KeyCode::Char('q') => true,
            KeyCode::Char('c') => key.modifiers.contains(KeyModifiers::CONTROL),
            _ => false,
        }
}

/// Puts the screen back, once.
fn restore() {
    if TAKEN.swap(false, Ordering::AcqRel) {
        // A terminal that has gone needs nothing put back.
        let _gone = execute!(io::stderr(), LeaveAlternateScreen, cursor::Show);
        let _gone = disable_raw_mode();
    }
}

#[cfg(test)]
mod tests;
