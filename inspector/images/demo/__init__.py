"""The parts that the demo, the benchmarks and the tests draw: good ones, and ones with defects."""
