# One image for everything on a cluster that runs this project's code: what starts the runs, Dask's
# scheduler and its workers. All must be of one build, since tasks travel between them as objects.
FROM python:3.11-slim-bookworm

# Libraries that OpenCV loads.
RUN apt-get update \
    && apt-get install --yes --no-install-recommends libgl1 libglib2.0-0 \
    && rm -rf /var/lib/apt/lists/*

WORKDIR /opt/deepfake
COPY requirements.txt ./
# The build of PyTorch for the CPU. For CUDA name the index that pytorch.org's selector names:
# docker build --build-arg TORCH_INDEX=https://download.pytorch.org/whl/cu130 .
ARG TORCH_INDEX=https://download.pytorch.org/whl/cpu
RUN grep -E '^(torch|torchvision)==' requirements.txt > torch.txt \
    && pip install --no-cache-dir --index-url "$TORCH_INDEX" -r torch.txt
RUN pip install --no-cache-dir -r requirements.txt

COPY pyproject.toml README.md LICENSE prefect.yaml ./
COPY deepfake deepfake
COPY flows flows
COPY tasks tasks
RUN pip install --no-cache-dir --no-deps .

# Nothing needs root. Copies of a store's objects and converted networks go to /cache.
RUN useradd --create-home deepfake && mkdir /cache && chown deepfake /cache
USER deepfake
WORKDIR /home/deepfake
ENV DEEPFAKE_CACHE=/cache \
    DASK_DISTRIBUTED__WORKER__DAEMON=False \
    DO_NOT_TRACK=1 \
    PREFECT_SERVER_ANALYTICS_ENABLED=false \
    MLFLOW_DISABLE_TELEMETRY=true

CMD ["deepfake", "--help"]
