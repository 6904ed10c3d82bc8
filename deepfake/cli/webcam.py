"""`deepfake webcam`: a verdict on each face of a live picture, without Prefect and any server."""

from __future__ import annotations

import sys
from contextlib import ExitStack, closing
from functools import partial
from threading import Event

from rich.console import Console
from rich.text import Text

from deepfake.cli.detector_choice import choose_detector, data_root_of
from deepfake.cli.signals import set_on_interrupt
from deepfake.cli.text import in_one_line
from deepfake.cli.verdicts import style_verdict
from deepfake.compute.devices import resolve_device
from deepfake.config import MediaLimits
from deepfake.config.options import WebcamOptions
from deepfake.errors import ConfigError
from deepfake.media import Source, Stream, open_stream, parse_source, quiet_native_logs
from deepfake.storage import engine_cache
from deepfake.storage.environment import configure_environment
from deepfake.views.webcam import (
    FrameReader,
    JsonLines,
    Output,
    Recording,
    VerdictChanges,
    WatchedFace,
    Watcher,
    WatchSummary,
    Window,
    check_display,
    check_output_path,
    create_watcher,
    watch,
)

__all__ = ["run_webcam"]


def run_webcam(options: WebcamOptions) -> None:
    """Watch a source until it ends or the user stops it."""
    source = parse_source(options.source)
    _check_options(options, source=source)
    quiet_native_logs()
    stop = Event()
    console = Console(stderr=True, markup=False, highlight=False, soft_wrap=True)
    with set_on_interrupt(stop), ExitStack() as opened:
        reopen = partial(
            open_stream,
            source,
            limits=MediaLimits(max_pixels=options.max_pixels),
            is_realtime=options.realtime,
            stop=stop,
        )
        # What is quick comes first: a source that is not there need not wait for the networks.
        stream = reopen()
        reader = _reader(stream, reopen=reopen, options=options, stop=stop, console=console)
        opened.callback(reader.close)
        if stream.is_live:
            reader.start()  # what comes while the networks are loaded is old by then
        window = [] if options.headless else [opened.enter_context(closing(Window(stop)))]
        watcher = _watcher(options, console=console)
        outputs = [*_outputs(options, opened=opened), *window]
        console.print(f"watching {in_one_line(source.shown)}; {_how_to_stop(options)} ends it")
        summary = watch(
            reader,
            watcher=watcher,
            outputs=outputs,
            stop=stop,
            max_seconds=options.max_seconds,
        )
    _print_summary(summary, options, console=console)


def _check_options(options: WebcamOptions, *, source: Source) -> None:
    if source.kind != "file" and not options.realtime:
        raise ConfigError(
            f"--no-realtime is for files: {source.shown} does not wait",
            hint="With --every N only every Nth frame is analysed.",
        )
    for path in (options.record, options.jsonl):
        if path is not None:
            check_output_path(path, source=source.address, overwrite=options.overwrite)
    if options.record is not None:
        Recording(options.record).close()  # a name that is not written is refused here
    if not options.headless:
        check_display()


def _reader(
    stream: Stream,
    *,
    reopen: partial[Stream],
    options: WebcamOptions,
    stop: Event,
    console: Console,
) -> FrameReader:
    return FrameReader(
        stream,
        reopen=reopen,
        stop=stop,
        is_dropping=options.realtime,
        every=options.every,
        on_status=lambda line: console.print(in_one_line(line), style="yellow"),
    )


def _watcher(options: WebcamOptions, *, console: Console) -> Watcher:
    data_root = data_root_of(options.data_root)
    configure_environment(data_root)
    identity, _ = choose_detector(options.weights, data_root=data_root, console=console)
    return create_watcher(
        identity.path,
        device=resolve_device(options.device),
        cache=engine_cache(),
    )


def _outputs(options: WebcamOptions, *, opened: ExitStack) -> list[Output]:
    outputs: list[Output] = [VerdictChanges(partial(_print_change, Console(highlight=False)))]
    if options.jsonl is not None:
        outputs.append(opened.enter_context(closing(JsonLines(options.jsonl))))
    if options.record is not None:
        outputs.append(opened.enter_context(closing(Recording(options.record))))
    return outputs


def _print_change(console: Console, pts_seconds: float, face: WatchedFace) -> None:
    minutes, seconds = divmod(pts_seconds, 60)
    prob = "" if face.prob_fake is None else f"{face.prob_fake:.0%} fake"
    reason = f"  ({face.reason})" if face.reason else ""
    line = Text(f"{minutes:02.0f}:{seconds:04.1f}  face {face.track_id}  ")
    line.append_text(style_verdict(str(face.verdict)))
    line.append(f"  {prob}{reason}")
    console.print(line, soft_wrap=True)
    sys.stdout.flush()


def _how_to_stop(options: WebcamOptions) -> str:
    return "Ctrl-C" if options.headless else "q, Esc or Ctrl-C"


def _print_summary(summary: WatchSummary, options: WebcamOptions, *, console: Console) -> None:
    if not summary.num_frames:
        console.print("no frame was analysed")
        return
    console.print(
        f"{summary.num_frames} frames analysed in {summary.seconds:.1f} s "
        f"({summary.frames_per_second:.1f} a second), {summary.num_dropped} dropped; "
        f"{summary.latency_p50_ms:.0f} ms from frame to verdict, "
        f"95 % within {summary.latency_p95_ms:.0f} ms"
    )
    for path, what in ((options.record, "recording"), (options.jsonl, "lines")):
        if path is not None:
            console.print(f"{what}: {in_one_line(str(path))}")
