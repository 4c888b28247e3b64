"""Speed, memory and error of mechanisms on this machine: what is measured, how, and as what."""
