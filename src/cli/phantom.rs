//! `recovnet phantom`: writes the synthetic chest phantom.
