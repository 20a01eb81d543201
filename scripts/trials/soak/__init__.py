"""`make soak MINUTES=…`: everything together, in one FreeSWITCH, for as long as wanted.

run: its course. soak.erl is what the Erlang nodes do; nodes: those nodes; phones: SIP calls by sipp; counts: what
became of it all, by kind; series: what it was over the time; growth: whether there is ever more of something; result:
what came out; page, chart: as text and as a picture; configuration: what the switch reads.
"""
