"""What the pipeline costs: throughput, growth, bulk runs, live watching."""
