"""The options of every command and flow, each stated once.

A class holds the options of one command; its docstring is the command's help, a field an option
with its type, range, default and help. `deepfake.cli.options` makes the command line of it,
`takes_options` the parameters of the flow of the same name.
"""

from deepfake.config.options.corpora import (
    ClipsOptions,
    FreezeOptions,
    IngestOptions,
    ListHeldOutSetsOptions,
)
from deepfake.config.options.detectors import (
    CalibrateOptions,
    CompareVersionsOptions,
    EvaluateOptions,
    ExportOptions,
    JoinOptions,
    ListVersionsOptions,
    PromoteOptions,
    RetrainOptions,
    RobustnessOptions,
    RollbackOptions,
    ShowVersionOptions,
    SweepOptions,
    TrainOptions,
)
from deepfake.config.options.fields import Options
from deepfake.config.options.installation import (
    DemoOptions,
    DoctorOptions,
    SetupOptions,
    UpOptions,
)
from deepfake.config.options.media import (
    AppOptions,
    DetectOptions,
    ForgetOptions,
    ReceiptOptions,
    ReportOptions,
    SampleOptions,
    ScoreOptions,
    StatusOptions,
    VerifyOptions,
    WebcamOptions,
)
from deepfake.config.options.parameters import flow_parameters, iter_fields, takes_options

__all__ = [
    "AppOptions",
    "CalibrateOptions",
    "ClipsOptions",
    "CompareVersionsOptions",
    "DemoOptions",
    "DetectOptions",
    "DoctorOptions",
    "EvaluateOptions",
    "ExportOptions",
    "ForgetOptions",
    "FreezeOptions",
    "IngestOptions",
    "JoinOptions",
    "ListHeldOutSetsOptions",
    "ListVersionsOptions",
    "Options",
    "PromoteOptions",
    "ReceiptOptions",
    "ReportOptions",
    "RetrainOptions",
    "RobustnessOptions",
    "RollbackOptions",
    "SampleOptions",
    "ScoreOptions",
    "SetupOptions",
    "ShowVersionOptions",
    "StatusOptions",
    "SweepOptions",
    "TrainOptions",
    "UpOptions",
    "VerifyOptions",
    "WebcamOptions",
    "flow_parameters",
    "iter_fields",
    "takes_options",
]
